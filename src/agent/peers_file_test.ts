import assert from "node:assert/strict";
import { LogRecorder } from "../../tests/support/log_recorder.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { until } from "../../tests/support/until.ts";
import { parsePeers, PEERS_MAX, PeersFile } from "./peers_file.ts";

const TIMES = { settleMs: 1, pollMs: 60_000, lookMs: 5 };

Deno.test("parsePeers() reads one address a line, with comments and empty lines", () => {
  const text = "# rack 1\n2001:db8::2 # worker2\n\n  2001:DB8::1\r\n2001:db8::2\n";
  assert.deepEqual(parsePeers(text), { peers: ["2001:db8::1", "2001:db8::2"], faults: [] });
  assert.deepEqual(parsePeers(""), { peers: [], faults: [] });
});

Deno.test("parsePeers() names the lines that hold no address of a node", () => {
  const lines = [
    "2001:db8::1",
    "192.0.2.1",
    "ff02::14",
    "worker2",
    "2001:db8::2 2001:db8::3",
    "::1",
  ];
  assert.deepEqual(parsePeers(lines.join("\n")).faults, [
    'line 2: expected the IPv6 address of a node, found "192.0.2.1"',
    'line 3: expected the IPv6 address of a node, found "ff02::14"',
    'line 4: expected the IPv6 address of a node, found "worker2"',
    'line 5: expected the IPv6 address of a node, found "2001:db8::2 2001:db8::3"',
    'line 6: expected the IPv6 address of a node, found "::1"',
  ]);
});

Deno.test("parsePeers() takes no more addresses than a LAN can send to", () => {
  const lines = Array.from({ length: PEERS_MAX + 1 }, (_, at) => `2001:db8::${at.toString(16)}`);
  assert.deepEqual(parsePeers(lines.slice(1).join("\n")).faults, []);
  assert.match(parsePeers(lines.join("\n")).faults.join(), /^it has 1001 addresses, more than/);
});

Deno.test("PeersFile follows the file, and keeps the last good list", async () => {
  using dir = new TempDir();
  const path = `${dir.path}/peers`;
  Deno.writeTextFileSync(path, "2001:db8::1\n");
  const log = new LogRecorder();
  const file = new PeersFile(path, log, TIMES);
  assert.deepEqual([file.peers, file.problems], [["2001:db8::1"], []]);
  const stop = new AbortController();
  let changes = 0;
  const watching = file.watch(() => changes++, stop.signal);
  try {
    Deno.writeTextFileSync(path, "2001:db8::1\n2001:db8::2\n");
    await until("an address that comes is taken", () => file.peers.length === 2);
    Deno.writeTextFileSync(path, "2001:db8::1\nworker2\n");
    await until("a fault is told", () => file.problems.length === 1);
    assert.deepEqual(file.peers, ["2001:db8::1", "2001:db8::2"]);
    assert.equal(file.problems[0]!.reason, "InvalidPeers");
    assert.match(
      file.problems[0]!.message,
      /^Cannot take peers from ".*\/peers": line 2: .* "worker2"; the list that was read before/,
    );
    Deno.removeSync(path);
    await until("so is a lost file", () => file.problems[0]?.reason === "UnreadablePeers");
    assert.deepEqual(file.peers, ["2001:db8::1", "2001:db8::2"]);
    // As editors do.
    Deno.writeTextFileSync(`${path}.new`, "2001:db8::3\n");
    Deno.renameSync(`${path}.new`, path);
    await until("a new one counts", () => file.peers.includes("2001:db8::3"));
    assert.deepEqual(file.problems, []);
    const before = changes;
    Deno.writeTextFileSync(`${dir.path}/other`, "");
    Deno.writeTextFileSync(path, "2001:db8::3\n2001:db8::4\n");
    await until("it goes on", () => file.peers.includes("2001:db8::4"));
    assert.ok(changes > before);
  } finally {
    stop.abort();
    await watching;
  }
});

Deno.test("PeersFile knows nothing before there was a good list", () => {
  using dir = new TempDir();
  const log = new LogRecorder();
  const missing = new PeersFile(`${dir.path}/peers`, log);
  assert.deepEqual([missing.peers, missing.problems[0]?.reason], ["unknown", "UnreadablePeers"]);
  assert.match(missing.problems[0]!.message, /send to the nodes that they sent to before$/);
  Deno.writeTextFileSync(`${dir.path}/bad`, "worker2\n2001:db8::1\n");
  const bad = new PeersFile(`${dir.path}/bad`, log);
  assert.deepEqual([bad.peers, bad.problems[0]?.reason], ["unknown", "InvalidPeers"]);
  assert.match(new PeersFile(dir.path, log).problems[0]!.message, /it is not a regular file/);
});
