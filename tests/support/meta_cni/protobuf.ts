/** As much of protobuf's wire format as answers made of strings and messages need. */

/** Values of the fields of length-delimited type, by field number, in order. */
export type Fields = ReadonlyMap<number, readonly Uint8Array[]>;

/** Splits a message. Throws when it ends early. */
export function splitMessage(bytes: Uint8Array): Fields {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  const varint = () => {
    for (let value = 0, factor = 1;; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("A protobuf message ends early");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const type = tag & 7;
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else if (type === 2) {
      const length = varint();
      if (at + length > bytes.length) throw new RangeError("A protobuf message ends early");
      const number = Math.floor(tag / 8);
      fields.set(number, [...fields.get(number) ?? [], bytes.subarray(at, at + length)]);
      at += length;
    } else throw new RangeError(`A protobuf message has a field of type ${type}`);
  }
  return fields;
}

/** The first value of a field as text, "" without it. */
export function textField(fields: Fields, number: number): string {
  return textFields(fields, number)[0] ?? "";
}

export function textFields(fields: Fields, number: number): readonly string[] {
  return (fields.get(number) ?? []).map((bytes) => new TextDecoder().decode(bytes));
}

export function messageFields(fields: Fields, number: number): readonly Fields[] {
  return (fields.get(number) ?? []).map(splitMessage);
}
