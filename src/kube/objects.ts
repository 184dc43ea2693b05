/** Objects as the API server sends them: plain JSON, never changed in place. */

/** A type of @kubernetes/client-node as it is on the wire: times are text, nothing is changed. */
export type Wire<T> = T extends Date ? string
  : T extends readonly (infer E)[] ? readonly Wire<E>[]
  : T extends object ? { readonly [K in keyof T]: Wire<T[K]> }
  : T;

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** `metadata` of an object to be made. */
export interface NewMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

/** `metadata` of an object that exists; `managedFields` are dropped where objects come in. */
export interface ObjectMeta extends NewMeta {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** An object of client-node's type `T` that exists. */
export type Stored<T> = KubeObject & Omit<Wire<T>, keyof KubeObject>;

/** What is given to make a `T`: the API server adds the rest. */
export type New<T extends KubeObject> = Omit<T, keyof KubeObject> & { readonly metadata: NewMeta };

export interface ObjectKey {
  readonly name: string;
  /** Absent for what belongs to no namespace. */
  readonly namespace?: string;
}

/** `namespace/name`, or the name alone: the same text for the same object, whatever its UID. */
export function keyText({ namespace, name }: ObjectKey): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The key in a text of `keyText()`. */
export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf("/");
  if (slash < 0) return { name: text };
  return { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/** The key of an object that exists. */
export function keyOf({ metadata: { name, namespace } }: KubeObject): ObjectKey {
  return namespace === undefined ? { name } : { name, namespace };
}
