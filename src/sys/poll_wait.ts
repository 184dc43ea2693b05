/** Waiting for descriptors (poll(2)). */

import { Fd } from "./fd.ts";
import { libc } from "./libc.ts";
import { unwrap } from "./syscall_error.ts";

const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const POLLIN = 1;
/** Longer is for ever. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** Waits for many descriptors at once, on another thread, until one is ready, time is up, or `wake()`. */
export class PollWait implements Disposable {
  readonly #waker = new Fd(unwrap(libc().eventfd(0, EFD_CLOEXEC_NONBLOCK), "make an eventfd"));
  #isWaiting = false;

  /** Those of `numbers` that have something to be read, or an error to be told of. */
  async wait(numbers: readonly number[], timeoutMs: number): Promise<readonly number[]> {
    // struct pollfd: int fd, short events, short revents.
    const fds = new Int32Array([this.#waker.number, ...numbers].flatMap((fd) => [fd, POLLIN]));
    const bytes = new Uint8Array(fds.buffer);
    this.#isWaiting = true;
    const timeout = timeoutMs > TIMEOUT_MAX_MS ? -1 : Math.max(0, Math.ceil(timeoutMs));
    await libc().poll_async(bytes, BigInt(fds.length / 2), timeout);
    this.#isWaiting = false;
    const isReady = (at: number) => (fds[2 * at + 1] ?? 0) >>> 16 !== 0;
    if (isReady(0)) libc().read(this.#waker.number, new Uint8Array(8), 8n);
    return numbers.filter((_, at) => isReady(at + 1));
  }

  /** Ends the wait under way, or the next one at once. */
  wake(): void {
    libc().write(this.#waker.number, new Uint8Array(BigUint64Array.of(1n).buffer), 8n);
  }

  /** Not while a wait is under way: its number could be another's by then. */
  [Symbol.dispose](): void {
    if (this.#isWaiting) throw new Error("A wait is still under way");
    this.#waker[Symbol.dispose]();
  }
}
