/**
 * etcd, containerd and runc from Debian packages, unpacked but not installed: installing would start
 * services on the machine, and Debian's containerd and Docker's exclude each other.
 */

import { runProgram } from "../../tests/support/lab_process.ts";
import { withFileLock } from "./file_lock.ts";
import { isFile, PACKAGES_LIBRARY, type Say } from "./tools.ts";

const PROGRAMS = ["etcd", "containerd", "containerd-shim-runc-v2", "ctr", "runc"];
const PACKAGES = ["etcd-server", "containerd", "runc"];

/**
 * The folders to put before PATH, so that all programs are found. Throws when a machine that is no
 * Debian lacks one.
 */
export async function debianFiles(tools: string, say: Say): Promise<readonly string[]> {
  const missing = PROGRAMS.filter((name) => !isOnPath(name));
  if (missing.length === 0) return [];
  const folder = `${tools}/debian`;
  const folders = [`${folder}/usr/bin`, `${folder}/usr/sbin`];
  await withFileLock(`${folder}.lock`, async () => {
    if (await isFile(`${folder}/complete`)) return;
    say(`Unpacking Debian's ${PACKAGES.join(", ")} into ${folder}, as ${missing[0]} is missing`);
    await runProgram(["sh", "-euc", UNPACK, folder, PACKAGES_LIBRARY, ...PACKAGES]).catch(
      (cause) => {
        throw new Error(
          `${missing.join(", ")} could not be had from Debian; install them by hand`,
          { cause },
        );
      },
    );
  });
  return folders;
}

const UNPACK = `
. "$1"
shift
rm -rf "$0"
mkdir -p "$0/packages"
packages_alone apt-get -qq update
cd "$0/packages"
apt-get -qq download "$@"
for package in *.deb; do dpkg-deb -x "$package" "$0"; done
cd /
rm -rf "$0/packages"
# They need nothing beyond libc but runc, whose libseccomp apt itself needs too.
for program in "$0/usr/bin/containerd" "$0/usr/bin/etcd" "$0/usr/sbin/runc"; do "$program" --version; done
touch "$0/complete"
`;

function isOnPath(name: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}
