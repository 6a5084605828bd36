// Reads pairs of a policy and a request, one JSON line each, and writes IAM's verdict on each: "deny" is explicit,
// "allow" is by the key policy alone, "account" takes a policy of the account too, "none" is the implicit deny, and
// "refused" is said of a policy that IAM would not store.
import { createInterface } from "node:readline";
import { createValidatedPolicy, validateResourcePolicy } from "@cloud-copilot/iam-policy";
import { runUnsafeSimulation } from "@cloud-copilot/iam-simulate";

const everything = {
  name: "everything",
  policy: { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] },
};
const serviceControlPolicies = [{ orgIdentifier: "organization", policies: [everything] }];

function simulate(resourcePolicy, { principal, account, action, resource, values }, identityPolicies) {
  const request = {
    ...{ principal, action: `kms:${action}`, resource: { resource, accountId: account } },
    contextVariables: values,
  };
  const policies = { identityPolicies, serviceControlPolicies, resourceControlPolicies: [], resourcePolicy };
  return runUnsafeSimulation({ request, ...policies }, {});
}

function verdict({ policy, request }) {
  const checked = createValidatedPolicy(policy, validateResourcePolicy, { name: "key policy" });
  if (checked.errors.length > 0) return `refused ${JSON.stringify(checked.errors[0])}`;
  const together = simulate(checked, request, [everything]);
  if (together === "ExplicitlyDenied") return "deny";
  if (together !== "Allowed") return "none";
  return simulate(checked, request, []) === "Allowed" ? "allow" : "account";
}

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${verdict(JSON.parse(line))}\n`);
