/** The test tiers: what each needs, and how its files are shared out. */

/** One kind of test by what it needs; CONTRIBUTING.md defines what belongs where. */
export interface Tier {
  readonly name: string;
  readonly folders: readonly string[];
  /** Files of these that run in a process of their own, one after the other. */
  readonly apart: readonly string[];
  /** Further options of `deno test`. Without `--parallel` one file runs after the other. */
  readonly options: readonly string[];
  readonly needsRoot: boolean;
  /** Debian packages, each as PACKAGE:COMMAND or PACKAGE:/PATH. */
  readonly packages: readonly string[];
  /** The tests start dist/k8slan. */
  readonly needsExecutable: boolean;
  /** The tests start programs of Kubernetes, which may have to be built first. */
  readonly needsKubernetes: boolean;
  /** After so many minutes a process of the tier is ended and has failed. */
  readonly minutes: number;
}

const PARALLEL = "--parallel";

/** In the order in which they begin. */
export const TIERS: readonly Tier[] = [
  {
    name: "unit",
    folders: ["src", "scripts", "tests/support"],
    // They start programs that they have just written. Files that run in parallel are threads of one
    // process, and a child that another one starts meanwhile has the program open for writing until
    // it becomes a program of its own: so long the kernel starts it for nobody (ETXTBSY).
    apart: [
      "scripts/build_unpacking_test.ts",
      "src/cluster/cni_installer_test.ts",
      "src/cluster/program_folder_test.ts",
      "src/cni/ipam_test.ts",
      "src/cni/process_test.ts",
      "src/kube/kubeconfig_access_test.ts",
    ],
    options: [PARALLEL],
    needsRoot: false,
    packages: [],
    needsExecutable: false,
    needsKubernetes: false,
    minutes: 10,
  },
  {
    name: "kernel",
    folders: ["tests/kernel"],
    apart: [],
    options: [],
    needsRoot: true,
    packages: [
      "iproute2:ip",
      "iputils-ping:ping",
      "tcpdump:tcpdump",
      "iperf3:iperf3",
      "nftables:nft",
      "util-linux:nsenter",
      "procps:ps",
      "containernetworking-plugins:/usr/lib/cni/static",
    ],
    needsExecutable: true,
    needsKubernetes: false,
    minutes: 40,
  },
  {
    name: "cluster",
    folders: ["tests/cluster"],
    // The longest of them, and it waits most.
    apart: ["tests/cluster/faults_test.ts"],
    options: [],
    needsRoot: true,
    packages: [
      "iproute2:ip",
      "iputils-ping:ping",
      "openssl:openssl",
      "procps:ps",
      "util-linux:nsenter",
      "qemu-system-x86:qemu-system-x86_64",
      "tcpdump:tcpdump",
      "xz-utils:xz",
    ],
    needsExecutable: true,
    needsKubernetes: true,
    minutes: 45,
  },
  {
    name: "apiserver",
    folders: ["tests/apiserver"],
    apart: [],
    options: [],
    needsRoot: false,
    packages: ["openssl:openssl", "procps:ps"],
    needsExecutable: false,
    needsKubernetes: true,
    minutes: 30,
  },
];

/** One process of `deno test`. */
export interface TestRun {
  readonly tier: Tier;
  readonly options: readonly string[];
  /** Arguments that say which files are meant. */
  readonly files: readonly string[];
}

/**
 * The processes of a tier, started in the folder above this. Each of its files is in exactly one of them:
 * they are named one by one, since `deno test --ignore` is without effect for some folders together.
 */
export function testRuns(tier: Tier): readonly TestRun[] {
  const { folders, apart, options } = tier;
  if (apart.length === 0) return [{ tier, options, files: folders }];
  const files = folders.flatMap(testFiles).filter((file) => !apart.includes(file));
  const inTurn = options.filter((option) => option !== PARALLEL);
  return [{ tier, options, files }, { tier, options: inTurn, files: apart }];
}

/** All below `folder`, in the order of their names. */
function testFiles(folder: string): string[] {
  const entries = [...Deno.readDirSync(new URL(`../${folder}`, import.meta.url))];
  return entries.toSorted((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return testFiles(path);
    return name.endsWith("_test.ts") ? [path] : [];
  });
}

/** Whether the tier's own process keeps all processors busy. */
export function isAlone({ options }: Tier): boolean {
  return options.includes(PARALLEL);
}
