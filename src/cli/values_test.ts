import { deepEqual, equal, throws } from "node:assert/strict";
import { InvalidArgumentError } from "commander";
import {
  interfaceName,
  isNodeName,
  lanReference,
  tapOwner,
  unicastMac,
  vtep,
  wholeNumber,
} from "./values.ts";

Deno.test("wholeNumber() takes the ends of its range", () => {
  const parse = wholeNumber(1280, 9000);
  equal(parse("1280"), 1280);
  equal(parse("9000"), 9000);
});

Deno.test("tapOwner() reads two ids", () => {
  deepEqual(tapOwner("107:36"), { uid: 107, gid: 36 });
});

Deno.test("unicastMac() writes addresses as the kernel does", () => {
  equal(unicastMac("02-AA-bb-00-00-01"), "02:aa:bb:00:00:01");
});

Deno.test("interfaceName() takes 15 bytes", () => {
  equal(interfaceName("eth0.123456789a"), "eth0.123456789a");
});

Deno.test("vtep() writes addresses as the kernel does", () => {
  equal(vtep("2001:DB8:0::0a"), "2001:db8::a");
});

Deno.test("lanReference() takes a name with and without its namespace", () => {
  equal(lanReference("lan-test"), "lan-test");
  equal(lanReference("k8slan-system/lan-test"), "k8slan-system/lan-test");
});

const REFUSED: readonly (readonly [string, (text: string) => unknown, readonly string[]])[] = [
  ["wholeNumber()", wholeNumber(1, 100), ["", "0", "101", "1.5", "-1", "0x10", "1e1", " 1"]],
  ["tapOwner()", tapOwner, ["107", "107:", "qemu:qemu", "-1:0", "4294967295:0", "1:2:3"]],
  ["unicastMac()", unicastMac, ["", "02:00", "01:00:5e:00:00:01", "00:00:00:00:00:00"]],
  ["vtep()", vtep, ["", "192.0.2.1", "::1", "ff02::14", "2001:db8::1/64", "fe80::1%eth0"]],
  ["interfaceName()", interfaceName, ["", ".", "..", "a/b", "a:b", "a b", "sixteen-bytes-ab"]],
  ["lanReference()", lanReference, ["", "/x", "x/", "a/b/c", "Lan", "a b"]],
];
for (const [name, parse, texts] of REFUSED) {
  for (const text of texts) {
    Deno.test(`${name} refuses ${JSON.stringify(text)}`, () => {
      throws(() => parse(text), InvalidArgumentError);
    });
  }
}

Deno.test("isNodeName() knows DNS names", () => {
  for (const name of ["worker1", "1", "a.b-c.example", "x".repeat(253)]) {
    equal(isNodeName(name), true);
  }
  const others = ["", "Worker", "a_b", "-a", "a-", "a..b", ".a", "a/b", "x".repeat(254)];
  for (const name of others) equal(isNodeName(name), false, name);
});
