/**
 * Renders an overview. Every text comes from objects that others wrote, so it is only ever set as textContent;
 * the page's Content-Security-Policy lets nothing else in either.
 */

/** Makes an element with a text or children, and attributes. */
function element(tag, content, attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (Array.isArray(content)) made.append(...content);
  else made.textContent = content;
  return made;
}

const TONES = new Set(["good", "moving", "bad"]);

const wordOf = ({ text, tone }) => element("span", text, TONES.has(tone) ? { class: tone } : {});

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

function duration(seconds) {
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= 2 * length) ?? ["second", 1];
  return { unit, amount: Math.round(seconds / length) };
}

/** Renders a time as its distance from now, with the time itself for those who point at it. */
function timeOf(time, now) {
  const seconds = (Date.parse(time) - now) / 1_000;
  if (Number.isNaN(seconds)) return element("span", time);
  const { unit, amount } = duration(seconds);
  const text = new Intl.RelativeTimeFormat("en", { numeric: "always" }).format(amount, unit);
  return element("time", text, { datetime: time, title: time });
}

/**
 * Renders rows as a table. Each column has a title and makes the content of a cell. The roles are said, because
 * on a narrow screen the style makes blocks of the table, which are no table to a screen reader.
 */
function table(columns, rows) {
  const titles = columns.map(({ title }) => element("th", title, { scope: "col", role: "columnheader" }));
  const body = rows.map((row) =>
    element(
      "tr",
      columns.map(({ title, cell }, index) =>
        index === 0
          ? element("th", cell(row), { scope: "row", role: "rowheader" })
          : element("td", cell(row), { "data-label": title, role: "cell" }),
      ),
      { role: "row" },
    ),
  );
  const head = element("thead", [element("tr", titles, { role: "row" })], { role: "rowgroup" });
  return element("table", [head, element("tbody", body, { role: "rowgroup" })], { role: "table" });
}

function showPart(id, part, columns, noun) {
  const place = document.getElementById(id);
  if (part.refused !== undefined)
    return place.replaceChildren(element("p", `Not shown: ${part.refused}`, { class: "refused" }));
  if (part.rows.length === 0)
    return place.replaceChildren(element("p", `There are no ${noun}.`, { class: "empty" }));
  const more = `Only the first ${noun} are shown; sign in with a namespace to see its own.`;
  place.replaceChildren(
    table(columns, part.rows),
    ...(part.more ? [element("p", more, { class: "help" })] : []),
  );
}

function dataCell({ data }) {
  const { progress } = data;
  if (progress === undefined) return [wordOf(data)];
  const { unit, amount } = duration(progress.secondsLeft ?? 0);
  const left = progress.secondsLeft === undefined ? "" : `, ${amount} ${unit}s left`;
  const bar = element("progress", "", { value: progress.done, max: progress.total, "aria-label": data.text });
  return [wordOf(data), bar, element("span", `${progress.done} of ${progress.total} objects${left}`)];
}

function rotationCell({ rotation, nextRotation }, now) {
  if (rotation.tone === "moving" || nextRotation === undefined) return [wordOf(rotation)];
  return [timeOf(nextRotation, now)];
}

function problemItem({ object, reason, message, since, needsSomebody }, now) {
  const kind = needsSomebody ? "wrong" : "passing";
  const head = element("strong", `${object}: ${reason}`, { class: needsSomebody ? "bad" : "moving" });
  const note = element("p", "Passes by itself, or somebody wanted it.", { class: "help" });
  const when = since === undefined ? [] : [" ", element("span", [timeOf(since, now)], { class: "help" })];
  const texts = [element("p", message), ...(needsSomebody ? [] : [note])];
  return element("li", [head, ...when, ...texts], { class: kind });
}

function showProblems({ problems, partial }, now) {
  const items = problems.map((problem) => problemItem(problem, now));
  const nothing = partial ? "Nothing is wrong in what this token may see." : "Nothing is wrong.";
  const tone = partial ? {} : { class: "good" };
  const fine = element("li", [element("strong", nothing, tone)], partial ? {} : { class: "fine" });
  document.getElementById("problems").replaceChildren(...(items.length === 0 ? [fine] : items));
}

/** Shows an overview in the page. */
export function show(overview) {
  const { time, keys, nodes, versions } = overview;
  const now = Date.parse(time) || Date.now();
  showProblems(overview, now);
  showPart(
    "keys",
    keys,
    [
      { title: "Key", cell: ({ key }) => key },
      { title: "State", cell: ({ state }) => [wordOf(state)] },
      { title: "Version", cell: ({ version }) => version },
      { title: "Stored data", cell: dataCell },
      { title: "Rotation", cell: (row) => rotationCell(row, now) },
    ],
    "keys",
  );
  showPart(
    "nodes",
    nodes,
    [
      { title: "Node", cell: ({ node }) => node },
      { title: "Ready", cell: ({ ready }) => [wordOf(ready)] },
      { title: "Serves", cell: ({ serves }) => (serves.length === 0 ? "-" : serves.join(", ")) },
      { title: "Its API server's configuration", cell: ({ apiServer }) => [wordOf(apiServer)] },
    ],
    "nodes",
  );
  showPart(
    "versions",
    versions,
    [
      { title: "Key", cell: ({ key }) => key },
      { title: "Version", cell: ({ version }) => version },
      { title: "State", cell: ({ state }) => [wordOf(state)] },
      { title: "key_id", cell: ({ kmsKeyId }) => [element("span", kmsKeyId || "-", { class: "id" })] },
      { title: "Age", cell: ({ age }) => age },
    ],
    "versions",
  );
}

/** Removes everything that was shown. */
export function clear() {
  for (const id of ["problems", "keys", "nodes", "versions"]) document.getElementById(id).replaceChildren();
}
