import { DEFAULT_ACCOUNT, DEFAULT_AUDIENCE } from "../../config/aws-config.ts";
import { ClavigerError } from "../../errors.ts";
import { fieldsOf } from "../../json.ts";
import type { KubeClient } from "../../kube/client.ts";
import { nameText, type ObjectName } from "../../names.ts";
import { type Command, parseArgument, UsageError } from "../command.ts";
import { accessOf, clientOf, nameOf, namespaceFor } from "../site/target.ts";
import { print } from "../terminal/print.ts";
import { askForSession } from "./sts-client.ts";

const OPTIONS = {
  endpoint: { type: "string" },
  ca: { type: "string" },
  account: { type: "string" },
  audience: { type: "string" },
  kubeconfig: { type: "string" },
  context: { type: "string" },
  namespace: { type: "string", short: "n" },
} as const;

/** The longest session. */
const TOKEN_SECONDS = 3600;

export const credentials: Command = {
  summary: "Get a temporary credential of a ServiceAccount for the AWS SDKs, as their credential_process.",
  usage:
    "credentials NAMESPACE/NAME [--endpoint URL] [--ca FILE] [--account DIGITS] [--audience NAME] [-n NAMESPACE] [--context NAME] [--kubeconfig FILE]",
  options: {
    "--endpoint URL": "the address of the AWS KMS API; left out, $AWS_ENDPOINT_URL_STS",
    "--ca FILE": "the CA of its certificate; left out, $AWS_CA_BUNDLE, then the CAs of Node.js",
    "--account DIGITS": `aws.account of its configuration, ${DEFAULT_ACCOUNT} if left out`,
    "--audience NAME": `aws.sessions.audience of its configuration, ${DEFAULT_AUDIENCE} if left out`,
  },
  async run(args) {
    const { argument, options } = parseArgument(args, "one NAMESPACE/NAME of a ServiceAccount", OPTIONS);
    const endpoint = endpointOf(options.endpoint ?? process.env.AWS_ENDPOINT_URL_STS);
    const account = nameOf(argument, options.namespace, () => namespaceFor(options));
    const client = clientOf(accessOf(options));
    try {
      const token = await tokenOf(client, account, options.audience ?? DEFAULT_AUDIENCE);
      const session = await askForSession({
        endpoint,
        ca: options.ca ?? process.env.AWS_CA_BUNDLE,
        token,
        roleArn: `arn:aws:iam::${options.account ?? DEFAULT_ACCOUNT}:role/${nameText(account)}`,
      });
      print(`${JSON.stringify({ Version: 1, ...session })}\n`);
    } finally {
      client.close();
    }
  },
};

/** Reads the address. Throws UsageError for one that would show secrets to the network. */
function endpointOf(text: string | undefined): URL {
  if (text === undefined || text === "")
    throw new UsageError("--endpoint URL is needed, or $AWS_ENDPOINT_URL_STS");
  if (!URL.canParse(text)) throw new UsageError("--endpoint takes a URL, such as https://kms.example.com");
  const url = new URL(text);
  const isLoopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback)) return url;
  throw new UsageError("--endpoint takes https://, or http:// on loopback: secrets travel through it");
}

/** Has the API server make a token of a ServiceAccount (TokenRequest). Throws ApiServer. */
async function tokenOf(client: KubeClient, account: ObjectName, audience: string): Promise<string> {
  const [namespace, name] = [account.namespace, account.name].map(encodeURIComponent);
  const answer = await client.request({
    method: "POST",
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { audiences: [audience], expirationSeconds: TOKEN_SECONDS },
    },
  });
  const { token } = fieldsOf(fieldsOf(answer).status);
  if (typeof token === "string") return token;
  throw new ClavigerError("ApiServer", `the API server has made no token of ${nameText(account)}`);
}
