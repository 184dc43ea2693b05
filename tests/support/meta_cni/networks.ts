/** The annotation by which a pod asks for further interfaces, as the multi-network standard has it. */

/** One interface that a pod asks for. */
export interface NetworkRequest {
  readonly namespace: string;
  readonly name: string;
  readonly ifname: string;
  readonly mac?: string;
  readonly ips: readonly string[];
  /** To be handed to the plugin as `args.cni`. */
  readonly cniArgs?: Readonly<Record<string, unknown>>;
}

/** An element of the annotation's JSON form. */
interface NetworkSelection {
  readonly name: string;
  readonly namespace?: string;
  readonly interface?: string;
  readonly mac?: string;
  readonly ips?: readonly string[];
  readonly "cni-args"?: Readonly<Record<string, unknown>>;
}

const SHORT_FORM = /^(?:([a-z0-9][a-z0-9.-]*)\/)?([a-z0-9][a-z0-9.-]*)(?:@([^\s/@]{1,15}))?$/;

/**
 * What the text of the annotation asks for: `[namespace/]name[@interface], …` or a JSON list.
 * Interfaces without a name are `net1`, `net2`, … by their place. Throws when it is neither.
 */
export function parseNetworks(text: string, podNamespace: string): readonly NetworkRequest[] {
  if (text.trim() === "") return [];
  const selections = text.trimStart().startsWith("[")
    ? parseJson(text)
    : text.split(",").map((word) => parseShort(word.trim()));
  return selections.map((selection, index) => ({
    namespace: selection.namespace ?? podNamespace,
    name: selection.name,
    ifname: selection.interface ?? `net${index + 1}`,
    ips: selection.ips ?? [],
    ...(selection.mac === undefined ? {} : { mac: selection.mac }),
    ...(selection["cni-args"] === undefined ? {} : { cniArgs: selection["cni-args"] }),
  }));
}

function parseJson(text: string): readonly NetworkSelection[] {
  const list: readonly NetworkSelection[] = JSON.parse(text);
  for (const { name } of list) {
    if (typeof name !== "string" || name === "") {
      throw new Error(`Annotation "${text}": an element has no name`);
    }
  }
  return list;
}

function parseShort(word: string): NetworkSelection {
  const [, namespace, name, ifname] = SHORT_FORM.exec(word) ?? [];
  if (name === undefined) {
    throw new Error(`Network "${word}": expected [namespace/]name[@interface]`);
  }
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(ifname === undefined ? {} : { interface: ifname }),
  };
}
