/**
 * Signs in, and asks for the overview again and again. The token is in this module's memory only: never in an
 * address, a cookie or the browser's storage.
 */
import { clear, show } from "./render.js";

const MOVING_MILLISECONDS = 2_000;
const QUIET_MILLISECONDS = 5_000;
const ANSWER_MILLISECONDS = 20_000;

const byId = (id) => document.getElementById(id);
const [form, overview, signOut, status] = ["sign-in", "overview", "sign-out", "status"].map(byId);
const [token, namespace, where] = ["token", "namespace", "where"].map(byId);

/** The caller who is signed in, or undefined. */
let session;

function say(text, isBad = false) {
  // A text that stays is not announced again.
  if (status.textContent !== text) status.textContent = text;
  status.className = isBad ? "bad" : "";
}

function end(text, isBad) {
  clearTimeout(session?.timer);
  session = undefined;
  clear();
  overview.hidden = true;
  signOut.hidden = true;
  form.hidden = false;
  where.textContent = "";
  say(text, isBad);
  token.focus();
}

async function ask({ bearer, query }) {
  const response = await fetch(`/api/overview${query}`, {
    headers: { authorization: `Bearer ${bearer}` },
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(ANSWER_MILLISECONDS),
  });
  return { status: response.status, body: await response.json() };
}

async function look(mine) {
  let pause = QUIET_MILLISECONDS;
  try {
    const answer = await ask(mine);
    if (session !== mine) return;
    if (answer.status === 401) return end(answer.body.message, true);
    if (answer.status === 200) pause = present(answer.body, mine);
    else say(`${answer.body.message}. The page tries again.`, true);
  } catch {
    if (session !== mine) return;
    say("The operator does not answer. The page tries again.", true);
  }
  mine.timer = setTimeout(look, pause, mine);
}

function present(seen, { scope }) {
  form.hidden = true;
  signOut.hidden = false;
  overview.hidden = false;
  where.textContent = `${scope}, as seen from ${seen.node}`;
  show(seen);
  const wrong = seen.problems.filter(({ needsSomebody }) => needsSomebody).length;
  const things = wrong === 1 ? "1 thing is wrong." : `${wrong} things are wrong.`;
  const fine = seen.partial ? "This token does not see everything." : "Everything is in order.";
  say(wrong === 0 ? fine : things, wrong > 0);
  return seen.moving ? MOVING_MILLISECONDS : QUIET_MILLISECONDS;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const of = namespace.value.trim();
  session = {
    bearer: token.value.trim(),
    query: of === "" ? "" : `?namespace=${encodeURIComponent(of)}`,
    scope: of === "" ? "All namespaces" : `Namespace ${of}`,
  };
  token.value = "";
  say("Signing in …");
  look(session);
});

signOut.addEventListener("click", () => end("Signed out.", false));

/** A page that nobody sees asks nothing. */
document.addEventListener("visibilitychange", () => {
  if (session === undefined) return;
  clearTimeout(session.timer);
  if (!document.hidden) look(session);
});
