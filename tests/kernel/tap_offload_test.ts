/** What a guest behind a tap leaves to its device: cutting up large segments, and their checksums. */

import assert from "node:assert/strict";
import { createAgentLab, seedLan } from "../support/agent_lab.ts";
import { lanTest } from "../support/lan_features.ts";
import {
  bytes,
  checksum,
  IPV4,
  ipv4,
  ipv4PseudoHeader,
  readEthernet,
  readU16,
  type Station as Party,
  TCP,
  u16,
} from "../support/packets.ts";
import { TapQueue } from "../support/tap_device.ts";
import { addTap, MTU, untilTapsHear } from "../support/tap_pod.ts";

const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;

lanTest(
  "a tap takes a TCP segment larger than the MTU, and gives it as its guest wants it",
  async (t) => {
    await using lab = await createAgentLab({ nodes: 2 });
    await lab.putLan(seedLan(lab));
    const near = await addTap(lab, "worker1", "pod1");
    const others = await Promise.all([
      addTap(lab, "worker1", "pod2"),
      addTap(lab, "worker2", "pod3"),
    ]);
    await untilTapsHear(near, ...others);
    using from = new TapQueue(near.tap);
    const data = crypto.getRandomValues(new Uint8Array(20_000));
    for (const { tap, mac, workload } of others) {
      for (const offloads of [0, TUN_F_CSUM | TUN_F_TSO4]) {
        const wants = offloads === 0 ? "frames of the MTU" : "the whole";
        await t.step(`${workload.name}, whose guest wants ${wants}`, async () => {
          using to = new TapQueue(tap, { offloads });
          const { header, frame } = largeSegment({ mac: near.mac, ip: A }, { mac, ip: B }, data);
          from.send(frame, header);
          const segments = new Map<number, Uint8Array>();
          await to.takeUntil((received) => {
            for (const segment of received) readSegment(segment, segments, offloads === 0);
            return sizeOf(segments) >= data.length;
          });
          const inOrder = [...segments].sort(([a], [b]) => a - b).map(([, part]) => part);
          assert.equal(bytes(...inOrder).toHex(), data.toHex());
          assert.equal(segments.size, offloads === 0 ? Math.ceil(data.length / (MTU - 40)) : 1);
        });
      }
    }
  },
);

const A = "10.9.0.1";
const B = "10.9.0.2";

/** A TCP segment that its sender leaves to be cut and summed up: frame and struct virtio_net_hdr. */
function largeSegment(sender: Party, target: Party, data: Uint8Array) {
  const pseudo = ipv4PseudoHeader(sender.ip, target.ip, TCP, 20 + data.length);
  // The field has the sum of the pseudo header alone, not inverted.
  const sum = u16(checksum(pseudo) ^ 0xffff);
  const tcp = [...u16(40_000), ...u16(80), 0, 0, 0, 0, 0, 0, 0, 1, 0x50, 0x10, ...u16(1024)];
  const frame = ipv4(sender, target, TCP, bytes(tcp, sum, [0, 0], data));
  const header = new DataView(new ArrayBuffer(12));
  header.setUint8(0, 1); // checksum to be filled in
  header.setUint8(1, 1); // TCP over IPv4
  [14 + 20 + 20, MTU - 40, 14 + 20, 16].forEach((value, at) => {
    header.setUint16(2 + 2 * at, value, true);
  });
  return { frame, header: new Uint8Array(header.buffer) };
}

/** Notes the data of a TCP segment under its sequence number. */
function readSegment(
  frame: Uint8Array,
  segments: Map<number, Uint8Array>,
  isComplete: boolean,
): void {
  const { type, payload } = readEthernet(frame);
  if (type !== IPV4 || payload[9] !== TCP) return;
  const tcp = payload.subarray(20, readU16(payload, 2));
  if (isComplete) {
    assert.ok(payload.length <= MTU);
    assert.equal(checksum(bytes(ipv4PseudoHeader(A, B, TCP, tcp.length), tcp)), 0);
  }
  segments.set(readU16(tcp, 4) * 65536 + readU16(tcp, 6), tcp.subarray(20));
}

function sizeOf(segments: ReadonlyMap<number, Uint8Array>): number {
  return [...segments.values()].reduce((sum, { length }) => sum + length, 0);
}
