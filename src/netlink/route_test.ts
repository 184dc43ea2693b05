import assert from "node:assert/strict";
import { hex } from "../../tests/support/hex.ts";
import { difference, NO_DIFFERENCE, ROUTE } from "../../tests/support/netlink_tree.ts";
import { setRoute } from "./route.ts";
import { encodeMessages } from "./wire/message.ts";

const IPV4 = setRoute(1048577, {
  dst: "198.51.100.0/24",
  gateway: "192.0.2.1",
  priority: 100,
  mtu: 1400,
});

const IPV6 = setRoute(1048577, {
  dst: "2001:db8:1::/48",
  gateway: "2001:db8::1",
  priority: 100,
  mtu: 1400,
});

const IPV4_BYTES = hex(`
  48 00 00 00  18 00  05 05  01 00 00 00  00 00 00 00  # nlmsghdr: length 72; RTM_NEWROUTE; REQUEST|ACK|REPLACE|CREATE; sequence; port
  02 18 00 00  fe 04 00 01  00 00 00 00                # rtmsg: family 2, dst length 24, src length 0, tos 0; table 254, protocol 4, scope 0, type 1; flags
  08 00 01 00  c6 33 64 00                             # RTA_DST 198.51.100.0
  08 00 04 00  01 00 10 00                             # RTA_OIF 1048577
  08 00 05 00  c0 00 02 01                             # RTA_GATEWAY 192.0.2.1
  08 00 06 00  64 00 00 00                             # RTA_PRIORITY 100
  0c 00 08 80                                          # RTA_METRICS
    08 00 02 00  78 05 00 00                           # RTAX_MTU 1400
`);

const IPV6_BYTES = hex(`
  60 00 00 00  18 00  05 05  01 00 00 00  00 00 00 00           # nlmsghdr: length 96; RTM_NEWROUTE; REQUEST|ACK|REPLACE|CREATE; sequence; port
  0a 30 00 00  fe 04 00 01  00 00 00 00                         # rtmsg: family 10, dst length 48, src length 0, tos 0; table 254, protocol 4, scope 0, type 1; flags
  14 00 01 00  20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 00  # RTA_DST 2001:db8:1::
  08 00 04 00  01 00 10 00                                      # RTA_OIF 1048577
  14 00 05 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  # RTA_GATEWAY 2001:db8::1
  08 00 06 00  64 00 00 00                                      # RTA_PRIORITY 100
  0c 00 08 80                                                   # RTA_METRICS
    08 00 02 00  78 05 00 00                                    # RTAX_MTU 1400
`);

// ip route replace 198.51.100.0/24 via 192.0.2.1 dev net1 metric 100 mtu 1400 proto static
const IPROUTE2_IPV4 = hex(`
  48 00 00 00  18 00  05 05  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 72; RTM_NEWROUTE; REQUEST|ACK|REPLACE|CREATE; sequence; port
  02 18 00 00  fe 04 00 01  00 00 00 00                # rtmsg: family 2, dst length 24, src length 0, tos 0; table 254, protocol 4, scope 0, type 1; flags
  08 00 01 00  c6 33 64 00                             # RTA_DST 198.51.100.0
  08 00 05 00  c0 00 02 01                             # RTA_GATEWAY 192.0.2.1
  08 00 06 00  64 00 00 00                             # RTA_PRIORITY 100
  08 00 04 00  01 00 10 00                             # RTA_OIF 1048577
  0c 00 08 00                                          # RTA_METRICS
    08 00 02 00  78 05 00 00                           # RTAX_MTU 1400
`);

// ip route replace default via 192.0.2.1 dev net1 proto static
const IPROUTE2_IPV4_DEFAULT = hex(`
  2c 00 00 00  18 00  05 05  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 44; RTM_NEWROUTE; REQUEST|ACK|REPLACE|CREATE; sequence; port
  02 00 00 00  fe 04 00 01  00 00 00 00                # rtmsg: family 2, dst length 0, src length 0, tos 0; table 254, protocol 4, scope 0, type 1; flags
  08 00 05 00  c0 00 02 01                             # RTA_GATEWAY 192.0.2.1
  08 00 04 00  01 00 10 00                             # RTA_OIF 1048577
`);

// ip route replace 203.0.113.0/24 dev net1 proto static
const IPROUTE2_IPV4_ON_LINK = hex(`
  2c 00 00 00  18 00  05 05  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 44; RTM_NEWROUTE; REQUEST|ACK|REPLACE|CREATE; sequence; port
  02 18 00 00  fe 04 fd 01  00 00 00 00                # rtmsg: family 2, dst length 24, src length 0, tos 0; table 254, protocol 4, scope 253, type 1; flags
  08 00 01 00  cb 00 71 00                             # RTA_DST 203.0.113.0
  08 00 04 00  01 00 10 00                             # RTA_OIF 1048577
`);

// ip -6 route replace 2001:db8:1::/48 via 2001:db8::1 dev net1 metric 100 mtu 1400 proto static
const IPROUTE2_IPV6 = hex(`
  60 00 00 00  18 00  05 05  e9 85 04 6b  00 00 00 00           # nlmsghdr: length 96; RTM_NEWROUTE; REQUEST|ACK|REPLACE|CREATE; sequence; port
  0a 30 00 00  fe 04 00 01  00 00 00 00                         # rtmsg: family 10, dst length 48, src length 0, tos 0; table 254, protocol 4, scope 0, type 1; flags
  14 00 01 00  20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 00  # RTA_DST 2001:db8:1::
  14 00 05 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  # RTA_GATEWAY 2001:db8::1
  08 00 06 00  64 00 00 00                                      # RTA_PRIORITY 100
  08 00 04 00  01 00 10 00                                      # RTA_OIF 1048577
  0c 00 08 00                                                   # RTA_METRICS
    08 00 02 00  78 05 00 00                                    # RTAX_MTU 1400
`);

// ip -6 route replace default via 2001:db8::1 dev net1 proto static
const IPROUTE2_IPV6_DEFAULT = hex(`
  4c 00 00 00  18 00  05 05  e9 85 04 6b  00 00 00 00           # nlmsghdr: length 76; RTM_NEWROUTE; REQUEST|ACK|REPLACE|CREATE; sequence; port
  0a 00 00 00  fe 04 00 01  00 00 00 00                         # rtmsg: family 10, dst length 0, src length 0, tos 0; table 254, protocol 4, scope 0, type 1; flags
  14 00 01 00  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  # RTA_DST ::
  14 00 05 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  # RTA_GATEWAY 2001:db8::1
  08 00 04 00  01 00 10 00                                      # RTA_OIF 1048577
`);

Deno.test("setRoute() keeps its bytes", () => {
  assert.deepEqual(encodeMessages([IPV4], 1), IPV4_BYTES);
  assert.deepEqual(encodeMessages([IPV6], 1), IPV6_BYTES);
});

Deno.test("setRoute() says what `ip route replace` says", () => {
  assert.deepEqual(difference(IPV4, IPROUTE2_IPV4, ROUTE), NO_DIFFERENCE);
  assert.deepEqual(difference(IPV6, IPROUTE2_IPV6, ROUTE), NO_DIFFERENCE);
});

Deno.test("setRoute() makes default routes", () => {
  const ipv4 = setRoute(1048577, { dst: "0.0.0.0/0", gateway: "192.0.2.1" });
  assert.deepEqual(difference(ipv4, IPROUTE2_IPV4_DEFAULT, ROUTE), NO_DIFFERENCE);
  const ipv6 = setRoute(1048577, { dst: "::/0", gateway: "2001:db8::1" });
  // A destination of no bits says nothing; iproute2 leaves it out for IPv4 only.
  assert.deepEqual(difference(ipv6, IPROUTE2_IPV6_DEFAULT, ROUTE), {
    ours: [],
    theirs: [`1 = ${"00".repeat(16)}`],
  });
});

Deno.test("setRoute() without gateway is on the link", () => {
  const route = setRoute(1048577, { dst: "203.0.113.0/24" });
  assert.deepEqual(difference(route, IPROUTE2_IPV4_ON_LINK, ROUTE), NO_DIFFERENCE);
});

Deno.test("setRoute() refuses what is not a prefix or an address", () => {
  assert.throws(() => setRoute(1, { dst: "default" }), SyntaxError);
  assert.throws(() => setRoute(1, { dst: "192.0.2.0" }), SyntaxError);
  assert.throws(() => setRoute(1, { dst: "0.0.0.0/0", gateway: "router" }), SyntaxError);
});
