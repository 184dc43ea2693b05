import assert from "node:assert/strict";
import { hex } from "../../tests/support/hex.ts";
import { ADDRESS, difference, NO_DIFFERENCE } from "../../tests/support/netlink_tree.ts";
import { decodeAddress, decodeGroup, dumpAddresses, dumpGroups, setAddress } from "./address.ts";
import { decodeMessages, encodeMessages } from "./wire/message.ts";

const IPV4 = setAddress(1048577, { address: "192.0.2.7", length: 24 });
const IPV6 = setAddress(1048577, { address: "2001:db8::7", length: 64 });

const IPV4_BYTES = hex(`
  28 00 00 00  14 00  05 05  01 00 00 00  00 00 00 00  # nlmsghdr: length 40; RTM_NEWADDR; REQUEST|ACK|REPLACE|CREATE; sequence; port
  02 18 00 00  01 00 10 00                             # ifaddrmsg: family 2, prefix length 24, flags 0x0, scope 0; index 1048577
  08 00 02 00  c0 00 02 07                             # IFA_LOCAL 192.0.2.7
  08 00 01 00  c0 00 02 07                             # IFA_ADDRESS 192.0.2.7
`);

const IPV6_BYTES = hex(`
  48 00 00 00  14 00  05 05  01 00 00 00  00 00 00 00           # nlmsghdr: length 72; RTM_NEWADDR; REQUEST|ACK|REPLACE|CREATE; sequence; port
  0a 40 00 00  01 00 10 00                                      # ifaddrmsg: family 10, prefix length 64, flags 0x0, scope 0; index 1048577
  14 00 02 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07  # IFA_LOCAL 2001:db8::7
  14 00 01 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07  # IFA_ADDRESS 2001:db8::7
  08 00 08 00  02 00 00 00                                      # IFA_FLAGS 0x2
`);

// ip addr replace 192.0.2.7/24 dev net1
const IPROUTE2_IPV4 = hex(`
  28 00 00 00  14 00  05 05  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 40; RTM_NEWADDR; REQUEST|ACK|REPLACE|CREATE; sequence; port
  02 18 00 00  01 00 10 00                             # ifaddrmsg: family 2, prefix length 24, flags 0x0, scope 0; index 1048577
  08 00 02 00  c0 00 02 07                             # IFA_LOCAL 192.0.2.7
  08 00 01 00  c0 00 02 07                             # IFA_ADDRESS 192.0.2.7
`);

// ip addr replace 2001:db8::7/64 dev net1 nodad
const IPROUTE2_IPV6 = hex(`
  40 00 00 00  14 00  05 05  e9 85 04 6b  00 00 00 00           # nlmsghdr: length 64; RTM_NEWADDR; REQUEST|ACK|REPLACE|CREATE; sequence; port
  0a 40 02 00  01 00 10 00                                      # ifaddrmsg: family 10, prefix length 64, flags 0x2, scope 0; index 1048577
  14 00 02 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07  # IFA_LOCAL 2001:db8::7
  14 00 01 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07  # IFA_ADDRESS 2001:db8::7
`);

// What the kernel answered to `ip addr show dev net1`: both addresses in one datagram.
const REPLY = hex(`
  50 00 00 00  14 00  22 00  ea 85 04 6b  d9 25 00 00           # nlmsghdr: length 80; RTM_NEWADDR; MULTI; sequence; port
  02 18 80 00  01 00 10 00                                      # ifaddrmsg: family 2, prefix length 24, flags 0x80, scope 0; index 1048577
  08 00 01 00  c0 00 02 07                                      # IFA_ADDRESS 192.0.2.7
  08 00 02 00  c0 00 02 07                                      # IFA_LOCAL 192.0.2.7
  09 00 03 00  6e 65 74 31 00 00 00 00                          # IFA_LABEL "net1"
  08 00 08 00  80 00 00 00                                      # IFA_FLAGS 0x80
  14 00 06 00  ff ff ff ff ff ff ff ff ce ca 02 00 ce ca 02 00  # IFA_CACHEINFO
  48 00 00 00  14 00  22 00  ea 85 04 6b  d9 25 00 00           # nlmsghdr: length 72; RTM_NEWADDR; MULTI; sequence; port
  0a 40 82 00  01 00 10 00                                      # ifaddrmsg: family 10, prefix length 64, flags 0x82, scope 0; index 1048577
  14 00 01 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07  # IFA_ADDRESS 2001:db8::7
  14 00 06 00  ff ff ff ff ff ff ff ff cf ca 02 00 cf ca 02 00  # IFA_CACHEINFO
  08 00 08 00  82 00 00 00                                      # IFA_FLAGS 0x82
`);

const DUMP_BYTES = hex(`
  18 00 00 00  16 00  01 03  01 00 00 00  00 00 00 00  # nlmsghdr: length 24; RTM_GETADDR; REQUEST|DUMP; sequence; port
  02 00 00 00  00 00 00 00                             # ifaddrmsg: family 2, prefix length 0, flags 0x0, scope 0; index 0
`);

Deno.test("setAddress() keeps its bytes", () => {
  assert.deepEqual(encodeMessages([IPV4], 1), IPV4_BYTES);
  assert.deepEqual(encodeMessages([IPV6], 1), IPV6_BYTES);
});

Deno.test("setAddress() says what `ip addr replace` says", () => {
  assert.deepEqual(difference(IPV4, IPROUTE2_IPV4, ADDRESS), NO_DIFFERENCE);
  // IFA_F_NODAD: an attribute of 32 bits (IFA_FLAGS) here, the eight of the header there.
  assert.deepEqual(difference(IPV6, IPROUTE2_IPV6, ADDRESS), {
    ours: ["header = 0a40000001001000", "8 = 02000000"],
    theirs: ["header = 0a40020001001000"],
  });
});

Deno.test("setAddress() refuses what is not an address", () => {
  assert.throws(() => setAddress(1, { address: "node1", length: 24 }), SyntaxError);
});

Deno.test("dumpAddresses() keeps its bytes", () => {
  assert.deepEqual(encodeMessages([dumpAddresses("ipv4")], 1), DUMP_BYTES);
});

Deno.test("dumpAddresses() asks for one link", () => {
  const bytes = hex("0a 00 00 00  01 00 10 00"); // ifaddrmsg: family 10; index 1048577
  assert.deepEqual(dumpAddresses("ipv6", 1048577).payload, bytes);
});

const GROUPS_BYTES = hex(`
  18 00 00 00  3a 00  01 03  01 00 00 00  00 00 00 00  # nlmsghdr: length 24; RTM_GETMULTICAST; REQUEST|DUMP; sequence; port
  0a 00 00 00  01 00 10 00                             # ifaddrmsg: family 10, prefix length 0, flags 0x0, scope 0; index 1048577
`);

// What the kernel answered: the type is that of the request.
const GROUPS_REPLY = hex(`
  40 00 00 00  3a 00  22 00  01 00 00 00  cb 27 00 00           # nlmsghdr: length 64; RTM_GETMULTICAST; MULTI|DUMP_FILTERED; sequence; port
  0a 80 80 00  01 00 10 00                                      # ifaddrmsg: family 10, prefix length 128, flags 0x80, scope 0; index 1048577
  14 00 07 00  ff 02 00 00 00 00 00 00 00 00 00 01 ff 6d 0e d9  # IFA_MULTICAST ff02::1:ff6d:ed9
  14 00 06 00  ff ff ff ff ff ff ff ff 97 5a 08 00 97 5a 08 00  # IFA_CACHEINFO
  40 00 00 00  3a 00  22 00  01 00 00 00  cb 27 00 00           # nlmsghdr: length 64; RTM_GETMULTICAST; MULTI|DUMP_FILTERED; sequence; port
  0a 80 80 00  01 00 10 00                                      # ifaddrmsg: family 10, prefix length 128, flags 0x80, scope 0; index 1048577
  14 00 07 00  ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01  # IFA_MULTICAST ff02::1
  14 00 06 00  ff ff ff ff ff ff ff ff 96 5a 08 00 96 5a 08 00  # IFA_CACHEINFO
`);

Deno.test("dumpGroups() keeps its bytes", () => {
  assert.deepEqual(encodeMessages([dumpGroups(1048577)], 1), GROUPS_BYTES);
});

Deno.test("decodeGroup() reads what the kernel reports", () => {
  const decoded = [...decodeMessages(GROUPS_REPLY)].map(({ payload }) => decodeGroup(payload));
  assert.deepEqual(decoded, [
    { index: 1048577, group: "ff02::1:ff6d:ed9" },
    { index: 1048577, group: "ff02::1" },
  ]);
});

Deno.test("dumpAddresses() names the family", () => {
  const families = [["ipv4", 2], ["ipv6", 10], ["any", 0]] as const;
  for (const [family, code] of families) {
    assert.equal(dumpAddresses(family).payload[0], code, family);
  }
  assert.equal(dumpAddresses().payload[0], 0);
});

const SETTLED = {
  ...{ tentative: false, duplicate: false, deprecated: false, temporary: false, permanent: true },
};

Deno.test("decodeAddress() reads both families as the kernel reports them", () => {
  const decoded = [...decodeMessages(REPLY)].map(({ payload }) => decodeAddress(payload));
  assert.deepEqual(decoded, [
    { index: 1048577, address: "192.0.2.7", length: 24, ...SETTLED },
    { index: 1048577, address: "2001:db8::7", length: 64, ...SETTLED },
  ]);
});

Deno.test("decodeAddress() tells the state of duplicate detection", () => {
  // fe80::1/64 on link 2: IFA_F_PERMANENT with IFA_F_TENTATIVE and IFA_F_DADFAILED in turn.
  const payload = (flags: string) =>
    hex(`
      0a 40 ${flags} fd  02 00 00 00
      14 00 01 00  fe 80 00x13 01
      08 00 08 00  ${flags} 00 00 00
    `);
  const states = [["80", false, false], ["c0", true, false], ["c8", true, true]] as const;
  for (const [flags, tentative, duplicate] of states) {
    assert.deepEqual(decodeAddress(payload(flags)), {
      ...{ index: 2, address: "fe80::1", length: 64, ...SETTLED },
      ...{ tentative, duplicate },
    });
  }
});

Deno.test("decodeAddress() tells how long an IPv6 address is good for", () => {
  // Bits 0x01, 0x20 and 0x80 of IFA_FLAGS; in IPv4 the first says that another came before.
  const flagsOf = (family: string, flags: string) => {
    const { temporary, deprecated, permanent } = decodeAddress(hex(`
      ${family} 40 ${flags} 00  02 00 00 00
      08 00 08 00  ${flags} 00 00 00
    `));
    return { temporary, deprecated, permanent };
  };
  assert.deepEqual(flagsOf("0a", "01"), { temporary: true, deprecated: false, permanent: false });
  assert.deepEqual(flagsOf("0a", "a0"), { temporary: false, deprecated: true, permanent: true });
  assert.deepEqual(flagsOf("02", "81"), { temporary: false, deprecated: false, permanent: true });
});

Deno.test("decodeAddress() gives the near end of a point-to-point link", () => {
  // ip addr add 192.0.2.1 peer 192.0.2.2/32: IFA_ADDRESS is the far end, IFA_LOCAL the near one.
  const payload = hex(`
    02 20 80 00  05 00 00 00
    08 00 01 00  c0 00 02 02
    08 00 02 00  c0 00 02 01
  `);
  assert.equal(decodeAddress(payload).address, "192.0.2.1");
});
