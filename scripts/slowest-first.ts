import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The test files that take the longest by far, the longest first. */
export const SLOW_FILES: readonly string[] = [
  "test/kubeadm/init.test.ts",
  "test/kubeadm/kubeadm.test.ts",
  "test/model/even-histories.test.ts",
  "test/model/odd-histories.test.ts",
  "test/cluster/storms.test.ts",
  "test/cluster/kill.test.ts",
  "test/cluster/start-orders.test.ts",
  "test/cluster/matrix.test.ts",
  "test/docs/troubleshooting.test.ts",
  "test/kubeadm/chart.test.ts",
  "test/cluster/rotation.test.ts",
  "test/cluster/complete.test.ts",
  "test/cluster/matrix-reload.test.ts",
  "test/cluster/nodes.test.ts",
  "test/cluster/ground.test.ts",
  "test/cluster/rewriter-rights.test.ts",
  "test/cluster/alerts.test.ts",
  "test/cluster/moving.test.ts",
  "test/cluster/reencryption.test.ts",
  "test/cluster/matrix-three.test.ts",
  "test/standalone/kill.test.ts",
  "test/cluster/clocks.test.ts",
  "test/docs/cluster.test.ts",
  "test/cluster/deletion.test.ts",
  "test/cluster/restore.test.ts",
  "test/cluster/storage-version.test.ts",
];

/** Returns the place of a file among the slow files, or a place after all of them. */
function rank(file: string): number {
  const place = SLOW_FILES.findIndex((slow) => file.endsWith(`/${slow}`));
  return place < 0 ? SLOW_FILES.length : place;
}

interface TestFile {
  readonly moduleId: string;
  readonly project: { readonly config: { readonly sequence: { readonly groupOrder: number } } };
}
const groupOf = ({ project }: TestFile): number => project.config.sequence.groupOrder;

/** Orders files: in each group the slow files first, the others in their old order. */
export const slowestFirst = <T extends TestFile>(files: readonly T[]): T[] =>
  files.toSorted((one, other) => groupOf(one) - groupOf(other) || rank(one.moduleId) - rank(other.moduleId));

/**
 * Starts the slow files first, so that no worker runs one of them alone at the end. On a clean clone vitest
 * knows no durations, and would order files by size.
 */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return slowestFirst(await super.sort(files));
  }
}
