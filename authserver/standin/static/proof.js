// The key that the app holds, and proofs that it does (DPoP, RFC 9449 §4): the key never leaves the browser's keeping.

const ALG = { name: "ECDSA", namedCurve: "P-256" };
const encoder = new TextEncoder();

export class Holder {
  #pair = crypto.subtle.generateKey(ALG, false, ["sign", "verify"]);

  // A proof for one request, and for the token that goes with it, if one does.
  async proof(method, url, token) {
    const { privateKey, publicKey } = await this.#pair;
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
    const claims = { jti: crypto.randomUUID(), htm: method, htu: url, iat: Math.floor(Date.now() / 1000) };
    if (token) claims.ath = base64url(await crypto.subtle.digest("SHA-256", encoder.encode(token)));
    const said = [{ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } }, claims]
      .map((part) => base64url(encoder.encode(JSON.stringify(part)))).join(".");
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, encoder.encode(said));
    return `${said}.${base64url(signature)}`;
  }
}

function base64url(bytes) {
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
