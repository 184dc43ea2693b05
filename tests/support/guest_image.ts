/** An image in which QEMU runs a tiny guest on a tap: QEMU, a kernel and all else from Debian. */

import { withFileLock } from "../../scripts/local_cluster/file_lock.ts";
import { packImages } from "../../scripts/local_cluster/images.ts";
import { isFile, toolsFolder } from "../../scripts/local_cluster/tools.ts";
import type { TestCluster } from "./cluster.ts";
import { runProgram } from "./lab_process.ts";

/** To be used with `imagePullPolicy: Never`; `/vm` holds the guest and QEMU's firmware. */
export const GUEST_IMAGE = "k8slan.io/test/guest:1";

const SCRIPT = new URL("guest_image.sh", import.meta.url).pathname;
/** Small, and made for virtual machines. */
const KERNEL_PACKAGE = "linux-image-cloud-amd64";

/** Makes the image and gives it to every node. */
export async function loadGuestImage(cluster: TestCluster): Promise<void> {
  const kernel = await guestKernel();
  const dir = await Deno.makeTempDir({ prefix: "k8slan-guest-" });
  try {
    const folder = `${dir}/image`;
    const busybox = (await runProgram(["sh", "-c", "command -v busybox"])).trim();
    await Deno.mkdir(folder);
    await runProgram(["sh", SCRIPT, `${folder}/root`, kernel, busybox]);
    const archive = await packImages(folder, [{ name: GUEST_IMAGE, config: {} }]);
    await cluster.loadImage(archive);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** The folder of an unpacked kernel package: obtained once, never installed. */
async function guestKernel(): Promise<string> {
  const folder = `${toolsFolder()}/guest-kernel`;
  await withFileLock(`${folder}.lock`, async () => {
    if (await isFile(`${folder}/complete`)) return;
    await runProgram(["sh", "-euc", UNPACK, folder, KERNEL_PACKAGE]);
  });
  return folder;
}

const UNPACK = `
rm -rf "$0"
mkdir -p "$0/package"
apt-get -qq update
package=$(apt-cache depends "$1" | sed -n 's/^ *Depends: //p' | head -n 1)
cd "$0/package"
# Who downloads for apt may not write here, which it says at length.
apt-get -qq -o APT::Sandbox::User=root download "$package"
dpkg-deb -x ./*.deb "$0"
cd /
rm -rf "$0/package"
ls "$0"/boot/vmlinuz-*
touch "$0/complete"
`;
