/** Making certificates: ECDSA on P-256, by WebCrypto. Heavy: to be loaded when one is made. */

// What @peculiar/x509 is wired by wants this first.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import type { ServingPair } from "./webhook_server.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** How the key's algorithm is called by the pair of PEM headers. */
const KEY_LABEL = "PRIVATE KEY";

export interface Term {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** An authority that signs nothing but certificates of servers. */
export async function issueAuthority(commonName: string, term: Term): Promise<ServingPair> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    ...term,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pemOf(certificate), key: await exportKey(keys.privateKey) };
}

/** A server's certificate for `names`, as in `DNS:a.b.svc` or `IP Address:127.0.0.1`. */
export async function issueServing(
  authority: ServingPair,
  names: readonly string[],
  { notBefore, notAfter }: Term,
): Promise<ServingPair> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = await crypto.subtle.importKey(
    "pkcs8",
    x509.PemConverter.decodeFirst(authority.key),
    ALGORITHM,
    false,
    ["sign"],
  );
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    issuer: issuer.subject,
    subject: "CN=k8slan-webhook",
    notBefore,
    // What outlives its authority is valid no longer than that.
    notAfter: notAfter < issuer.notAfter ? notAfter : issuer.notAfter,
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map(generalName)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: pemOf(certificate), key: await exportKey(keys.privateKey) };
}

function generalName(name: string): { type: "dns" | "ip"; value: string } {
  const value = name.slice(name.indexOf(":") + 1);
  return { type: name.startsWith("DNS:") ? "dns" : "ip", value };
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

async function exportKey(key: CryptoKey): Promise<string> {
  const bytes = await crypto.subtle.exportKey("pkcs8", key);
  return `${x509.PemConverter.encode(bytes, KEY_LABEL)}\n`;
}
