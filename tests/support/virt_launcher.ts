/**
 * The part of KubeVirt's virt-controller that a network meets: a VM's pod, made of the VM and of what
 * the NetworkAttachmentDefinitions of its networks say.
 */

import { createHash } from "node:crypto";
import { RESOURCE_NAME_ANNOTATION } from "../../src/api/names.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../../src/kube/resources.ts";
import type { ClusterNode } from "./cluster_node.ts";
import { GUEST_IMAGE } from "./guest_image.ts";
import type { Product } from "./product.ts";
import { TEST_LABEL } from "./product_objects.ts";

/** QEMU's user and group in every launcher. */
const QEMU = 107;

export interface VirtualMachine {
  readonly name: string;
  readonly node: ClusterNode;
  /** `spec.networks[]`: its name in the VM, and `multus.networkName`. */
  readonly network: { readonly name: string; readonly multus: string };
  /** `spec.domain.devices.interfaces[].macAddress` */
  readonly macAddress?: string;
  /** Words of the guest's kernel command line. */
  readonly guest: Readonly<Record<string, string>>;
}

/** Name of the link in the pod: KubeVirt's, and it must be honoured exactly. */
export function podLinkName(network: string): string {
  return `pod${createHash("sha256").update(network).digest("hex").slice(0, 11)}`;
}

/** The VM's pod, as it is given to the API server. */
export async function launcherOf(product: Product, vm: VirtualMachine) {
  const { name, node, network, macAddress } = vm;
  const definition = await product.api.get(NETWORK_ATTACHMENT_DEFINITIONS, {
    name: network.multus,
    namespace: "default",
  });
  // Nobody writes resources into a VM: they follow from the definition.
  const resourceName = definition?.metadata.annotations?.[RESOURCE_NAME_ANNOTATION];
  const link = podLinkName(network.name);
  const networks = [{
    ...{ name: network.multus, namespace: "default", interface: link },
    ...(macAddress === undefined ? {} : { mac: macAddress }),
  }];
  const asked = resourceName === undefined ? {} : { [resourceName]: "1" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...{ name, namespace: "default" },
      labels: { [TEST_LABEL]: "yes", "kubevirt.io": "virt-launcher" },
      annotations: { "k8s.v1.cni.cncf.io/networks": JSON.stringify(networks) },
    },
    spec: {
      nodeSelector: { "kubernetes.io/hostname": node.name },
      terminationGracePeriodSeconds: 1,
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsUser: QEMU, runAsGroup: QEMU, fsGroup: QEMU, runAsNonRoot: true },
      containers: [{
        name: "compute",
        image: GUEST_IMAGE,
        imagePullPolicy: "Never",
        command: ["sh", "-euc", QEMU_ON_TAP, link, commandLine(vm)],
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
        },
        resources: { limits: asked, requests: asked },
      }],
    },
  };
}

/**
 * As libvirt does with a macvtap that is there (virnetdevmacvlan.c): the file is found by the link's
 * index, and opened once for each queue. MAC address and MTU are copied from the link, as KubeVirt does.
 */
const QEMU_ON_TAP = `
link=/sys/class/net/$0
tap=/dev/tap$(cat "$link/ifindex")
exec 3<>"$tap" 4<>"$tap"
exec qemu -L /vm -machine q35,accel=tcg -cpu max -smp 2 -m 192 -nodefaults -no-user-config \
  -display none -no-reboot -kernel /vm/kernel -initrd /vm/initrd \
  -append "console=ttyS0 quiet panic=-1 $1" -serial stdio -netdev tap,id=lan,fds=3:4 \
  -device "virtio-net-pci,netdev=lan,mq=on,vectors=6,romfile=,mac=$(cat "$link/address"),host_mtu=$(
    cat "$link/mtu"
  )"
`;

function commandLine({ guest }: VirtualMachine): string {
  return Object.entries(guest).map(([key, value]) => `guest_${key}=${value}`).join(" ");
}
