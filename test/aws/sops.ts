import { join } from "node:path";
import { goTool } from "../controlplane/go-tool.ts";

/** Returns the path of sops; undefined without Go. */
export const sopsBinary = (): Promise<string | undefined> =>
  goTool({
    ...{ name: "sops", from: "github.com/getsops/sops/v3", package: "github.com/getsops/sops/v3/cmd/sops" },
    ...{ module: join(import.meta.dirname, "sops"), usualTime: "2 minutes", tests: "the guide of SOPS" },
  });
