/** Owned file descriptors. */

import { libc } from "./libc.ts";
import { unwrap } from "./syscall_error.ts";

/** Closes its descriptor when disposed of, once. */
export class Fd implements Disposable {
  readonly number: number;
  #open = true;

  constructor(number: number) {
    this.number = number;
  }

  /** As disposing of it, on another thread: for what the kernel takes long to close. */
  async closeInBackground(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await libc().close_async(this.number);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    unwrap(libc().close(this.number), `close file descriptor ${this.number}`);
  }
}
