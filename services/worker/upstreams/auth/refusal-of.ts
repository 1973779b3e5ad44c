/** Ours, so it may be shown: it holds nothing that somebody else wrote. */
export class EgressRefused extends Error {
  override readonly name = 'EgressRefused';
}

/** Why there is no token, in words of ours and the error code of OAuth: descriptions and bodies may hold anything, credentials included. */
export function refusalOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof EgressRefused) return at.message;
    if ('code' in at && typeof at.code === 'string' && isCode(at.code)) return at.code;
    const named = /failed: ([a-z_]{1,64})(?: - |$)/.exec(at.message)?.[1];
    if (named !== undefined) return named;
  }
  return 'the authorization server cannot be reached or does not answer as OAuth says';
}

/** OAuth's are in lower case, those of Node.js (ECONNREFUSED) in upper case. */
function isCode(text: string): boolean {
  return /^[a-z][a-z_]{0,63}$|^[A-Z][A-Z0-9_]{0,63}$/.test(text);
}
