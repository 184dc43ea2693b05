import assert from "node:assert/strict";
import { hex } from "../../tests/support/hex.ts";
import { difference, NAMESPACE_ID, NO_DIFFERENCE } from "../../tests/support/netlink_tree.ts";
import { assignNamespaceId, decodeNamespaceId, getNamespaceId } from "./namespace_id.ts";
import { decodeMessages, encodeMessages } from "./wire/message.ts";

const ASSIGN_BYTES = hex(`
  24 00 00 00  58 00  05 00  01 00 00 00  00 00 00 00  # nlmsghdr: length 36; RTM_NEWNSID; REQUEST|ACK; sequence; port
  00 00 00 00                                          # rtgenmsg: family
  08 00 01 00  ff ff ff ff                             # NETNSA_NSID -1
  08 00 03 00  06 00 00 00                             # NETNSA_FD 6
`);

// ip netns set pod auto
const IPROUTE2_ASSIGN = hex(`
  24 00 00 00  58 00  05 00  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 36; RTM_NEWNSID; REQUEST|ACK; sequence; port
  00 00 00 00                                          # rtgenmsg: family
  08 00 03 00  06 00 00 00                             # NETNSA_FD 6
  08 00 01 00  ff ff ff ff                             # NETNSA_NSID -1
`);

const GET_BYTES = hex(`
  1c 00 00 00  5a 00  01 00  01 00 00 00  00 00 00 00  # nlmsghdr: length 28; RTM_GETNSID; REQUEST; sequence; port
  00 00 00 00                                          # rtgenmsg: family
  08 00 03 00  06 00 00 00                             # NETNSA_FD 6
`);

// ip netns list-id, for each named namespace
const IPROUTE2_GET = hex(`
  1c 00 00 00  5a 00  01 00  e9 85 04 6b  00 00 00 00  # nlmsghdr: length 28; RTM_GETNSID; REQUEST; sequence; port
  00 00 00 00                                          # rtgenmsg: family
  08 00 03 00  06 00 00 00                             # NETNSA_FD 6
`);

const REPLY = hex(`
  1c 00 00 00  58 00  00 00  e9 85 04 6b  83 65 5f e1  # nlmsghdr: length 28; RTM_NEWNSID; no flags; sequence; port
  00 00 00 00                                          # rtgenmsg: family
  08 00 01 00  01 00 00 00                             # NETNSA_NSID 1
`);

const REPLY_UNASSIGNED = hex(`
  1c 00 00 00  58 00  00 00  e9 85 04 6b  89 58 ec f3  # nlmsghdr: length 28; RTM_NEWNSID; no flags; sequence; port
  00 00 00 00                                          # rtgenmsg: family
  08 00 01 00  ff ff ff ff                             # NETNSA_NSID -1
`);

Deno.test("assignNamespaceId() keeps its bytes and says what `ip netns set NAME auto` says", () => {
  const request = assignNamespaceId(6);
  assert.deepEqual(encodeMessages([request], 1), ASSIGN_BYTES);
  assert.deepEqual(difference(request, IPROUTE2_ASSIGN, NAMESPACE_ID), NO_DIFFERENCE);
});

Deno.test("getNamespaceId() keeps its bytes and says what `ip netns list-id` says", () => {
  const request = getNamespaceId(6);
  assert.deepEqual(encodeMessages([request], 1), GET_BYTES);
  assert.deepEqual(difference(request, IPROUTE2_GET, NAMESPACE_ID), NO_DIFFERENCE);
});

Deno.test("decodeNamespaceId() reads an id; -1 means that there is none", () => {
  const [assigned] = [...decodeMessages(REPLY)];
  const [unassigned] = [...decodeMessages(REPLY_UNASSIGNED)];
  assert.equal(decodeNamespaceId(assigned!.payload), 1);
  assert.equal(decodeNamespaceId(unassigned!.payload), undefined);
});
