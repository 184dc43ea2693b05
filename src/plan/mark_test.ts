import assert from "node:assert/strict";
import { NAME_MAX } from "../api/names.ts";
import { formatMark, type Mark, markId, parseMark } from "./mark.ts";

/** IFALIASZ less the terminating zero. Bytes. */
const ALIAS_MAX = 255;
const UUID = "0d5b2a1c-7f0e-4c58-9f6a-3c1f5d2e8b90";

const MARKS: readonly (readonly [Mark, string])[] = [
  [{ lan: UUID }, `k8slan lan=${UUID}`],
  [
    { lan: "file.default.a", name: "default/a" },
    "k8slan lan=file.default.a name=default/a",
  ],
  [{ lan: UUID, spoke: "pod1" }, `k8slan lan=${UUID} spoke=pod1`],
  [
    { lan: UUID, spoke: "pod1", container: "c0ffee", ifname: "net1", attach: "macvtap" },
    `k8slan lan=${UUID} spoke=pod1 container=c0ffee ifname=net1 attach=macvtap`,
  ],
  [
    { lan: UUID, container: "a=b", ifname: "eth0.10", attach: "veth" },
    `k8slan lan=${UUID} container=a=b ifname=eth0.10 attach=veth`,
  ],
];

Deno.test("formatMark() writes fields in a fixed order", () => {
  for (const [mark, text] of MARKS) {
    assert.equal(formatMark(mark), text);
    const { lan, ...rest } = mark;
    assert.equal(formatMark({ ...rest, lan }), text);
  }
});

Deno.test("parseMark() reads what formatMark() wrote", () => {
  for (const [mark, text] of MARKS) assert.deepEqual(parseMark(text), mark);
});

Deno.test("parseMark() takes nothing else for a mark of ours", () => {
  const foreign = [undefined, "", "lo", "k8slan", "k8slan spoke=pod1", `K8slan lan=${UUID}`]
    .concat([` k8slan lan=${UUID}`, `k8slan2 lan=${UUID}`, `not k8slan lan=${UUID}`]);
  for (const alias of foreign) assert.equal(parseMark(alias), undefined, String(alias));
});

Deno.test("parseMark() ignores fields that it does not know, and kinds of attachment too", () => {
  const text = `k8slan lan=${UUID} since=2030 attach=ipvlan`;
  assert.deepEqual(parseMark(text), { lan: UUID });
});

Deno.test("formatMark() fits an alias with the longest fields that are legal", () => {
  const lan = markId("u".repeat(128));
  const longest: readonly Mark[] = [
    { lan: markId(UUID), name: `${"n".repeat(63)}/${"l".repeat(59)}` },
    { lan, name: `${"n".repeat(63)}/${"l".repeat(59)}` },
    {
      ...{ lan: markId("u".repeat(36)), spoke: "s".repeat(NAME_MAX) },
      ...{ container: "c".repeat(128), ifname: "i".repeat(15), attach: "macvtap" },
    },
  ];
  for (const mark of longest) {
    const text = formatMark(mark);
    assert.ok(new TextEncoder().encode(text).length <= ALIAS_MAX, `${text.length}: ${text}`);
    assert.deepEqual(parseMark(text), mark);
  }
});

Deno.test("markId() keeps what fits and shortens the rest, the same way for ever", () => {
  assert.equal(markId(UUID), UUID);
  assert.equal(markId("file.default.a"), "file.default.a");
  const long = `file.${"n".repeat(63)}.${"l".repeat(59)}`;
  assert.equal(markId(long), "cfd9dba0ffc5d28b8aa2f91ce9a694c9");
  assert.notEqual(markId(long), markId(`${long}x`));
});
