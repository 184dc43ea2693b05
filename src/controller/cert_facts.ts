/** Certificates as they lie in a Secret or a folder: what is in them, as far as it matters here. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Secret } from "../kube/resources.ts";
import type { ServingPair } from "./webhook_server.ts";

/** Names in the Secret. `tls.*` as in every TLS Secret; `ca.crt` may hold several authorities. */
export const CERTIFICATE_FILE = "tls.crt";
export const KEY_FILE = "tls.key";
export const AUTHORITIES_FILE = "ca.crt";
export const AUTHORITY_KEY_FILE = "ca.key";

/** Times in milliseconds since 1970. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Authority extends Validity {
  readonly pem: string;
}

export interface ServingFacts extends Validity {
  readonly pair: ServingPair;
  /** As in `DNS:a.b.svc` or `IP Address:127.0.0.1`. */
  readonly names: readonly string[];
  /** That of the authorities in the same place who signed it. */
  readonly signer?: Authority;
}

export interface CertificateFacts {
  /** As they lie there: PEM, possibly with things in it that are none. */
  readonly bundle: string;
  readonly authorities: readonly Authority[];
  /** The one whose key is there too. */
  readonly signer?: Authority & { readonly key: string };
  readonly serving?: ServingFacts;
}

const AUTHORITIES_MAX = 32;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** What is in the Secret; what can't be read isn't there. Never throws. */
export function readSecret({ data = {} }: Pick<Secret, "data">): CertificateFacts {
  const text = (name: string) => decodeBase64(data[name]);
  const bundle = text(AUTHORITIES_FILE);
  const parsed = readAuthorities(bundle);
  const authorities = parsed.map(({ authority }) => authority);
  const key = text(AUTHORITY_KEY_FILE);
  const signer = parsed.find(({ x509 }) => isKeyOf(x509, key))?.authority;
  const pair = { certificate: text(CERTIFICATE_FILE), key: text(KEY_FILE) };
  const serving = readServing(pair, parsed);
  return {
    bundle,
    authorities,
    ...(signer === undefined ? {} : { signer: { ...signer, key } }),
    ...(serving === undefined ? {} : { serving }),
  };
}

interface ParsedAuthority {
  readonly authority: Authority;
  readonly x509: X509Certificate;
}

function readAuthorities(bundle: string): ParsedAuthority[] {
  const blocks = new Set(bundle.match(CERTIFICATE)?.slice(-AUTHORITIES_MAX));
  return [...blocks].flatMap((pem) => {
    const x509 = parse(pem);
    return x509?.ca ? [{ authority: { pem: `${pem}\n`, ...validityOf(x509) }, x509 }] : [];
  });
}

/** The pair, if certificate and key are ones and belong together. */
export function readServing(
  pair: ServingPair,
  authorities: readonly ParsedAuthority[] = [],
): ServingFacts | undefined {
  const x509 = parse(pair.certificate);
  if (x509 === undefined || !isKeyOf(x509, pair.key)) return undefined;
  const signer = authorities.find((one) => isSignedBy(x509, one.x509))?.authority;
  return {
    pair,
    ...validityOf(x509),
    names: x509.subjectAltName?.split(", ") ?? [],
    ...(signer === undefined ? {} : { signer }),
  };
}

/** The bundle that lies in a webhook's configuration, as text. */
export function decodeBase64(text: string | undefined): string {
  try {
    const bytes = Uint8Array.from(atob(text ?? ""), (char) => char.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return "";
  }
}

/** `text` must be ASCII, as PEM is. */
export function encodeBase64(text: string): string {
  return btoa(text);
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function validityOf(x509: X509Certificate): Validity {
  return { notBefore: Date.parse(x509.validFrom), notAfter: Date.parse(x509.validTo) };
}

function isKeyOf(x509: X509Certificate, key: string): boolean {
  try {
    return x509.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function isSignedBy(x509: X509Certificate, authority: X509Certificate): boolean {
  try {
    return x509.checkIssued(authority) && x509.verify(authority.publicKey);
  } catch {
    return false;
  }
}
