/** All attachments of this node, kept in step with the marks in the kernel and the records on disk. */

import { type Attachment, attachmentKey } from "./attachment.ts";
import type { AttachmentRecords } from "./attachment_records.ts";

export class Attachments {
  readonly #records: AttachmentRecords;
  readonly #byKey = new Map<string, Attachment>();
  readonly #byLan = new Map<string, Map<string, Attachment>>();

  constructor(records: AttachmentRecords) {
    this.#records = records;
  }

  get(key: string): Attachment | undefined {
    return this.#byKey.get(key);
  }

  all(): Iterable<Attachment> {
    return this.#byKey.values();
  }

  ofLan(lanId: string): Attachment[] {
    return [...this.#byLan.get(lanId)?.values() ?? []];
  }

  /** Ids of the LANs that something is attached to. */
  lanIds(): string[] {
    return [...this.#byLan.keys()];
  }

  /** Who holds a spoke of the LAN. */
  holder(lanId: string, spoke: string): Attachment | undefined {
    return this.ofLan(lanId).find((attachment) => attachment.spoke === spoke);
  }

  /** Takes in what was found in the kernel or in a record; it is remembered already, or lost. */
  restore(attachment: Attachment): void {
    const key = attachmentKey(attachment);
    this.#byKey.set(key, attachment);
    const { lanId } = attachment;
    const group = this.#byLan.get(lanId) ?? new Map<string, Attachment>();
    this.#byLan.set(lanId, group.set(key, attachment));
  }

  /** Remembers on disk what is about to be made. Unless its mark appears, it counts for nothing. */
  announce(attachment: Attachment): void {
    this.#records.announce(attachment);
  }

  /** Takes in what was announced and has been made. */
  confirm(attachment: Attachment): void {
    this.restore(attachment);
    this.#records.confirm(attachment);
  }

  /** Takes in a new or changed attachment and remembers it on disk. */
  put(attachment: Attachment): void {
    this.restore(attachment);
    this.#records.write(attachment);
  }

  remove(attachment: Attachment): void {
    const key = attachmentKey(attachment);
    this.#byKey.delete(key);
    const group = this.#byLan.get(attachment.lanId);
    group?.delete(key);
    if (group?.size === 0) this.#byLan.delete(attachment.lanId);
    this.#records.remove(key);
  }
}
