/**
 * Which literal values of a client's file may be secrets. The import prints what it carries over, so it errs on the side of silence: a value
 * is shown only when its name says nothing of secrets and it is of a kind that is none.
 */

const secretName =
  /key|token|secret|passw|pwd|pass$|credential|auth|bearer|cookie|private|session|dsn|connection|signature|salt|pin$|otp|pat$/i;
const harmlessValue: readonly RegExp[] = [
  /^$/,
  /^(true|false|yes|no|on|off|null|none)$/i,
  /^-?\d{1,8}(\.\d{1,6})?(ms|s|m|h)?$/i,
  // A word: a level, a mode, a region.
  /^[a-z]{1,16}(-[a-z]{1,12}){0,3}(-\d{1,2})?$/i,
  // A path.
  /^(~|\.{1,2})?\/[\w@.+\- /]*$/,
  /^[A-Z]:\\[\w@.+\- \\]*$/i,
  /^[a-z0-9.-]{1,100}:\d{1,5}$/i,
];
const harmlessHeader: ReadonlySet<string> = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);
const secretFlag = /^--?[\w-]*(?:key|token|secret|passw|credential|auth|bearer|cookie|dsn)[\w-]*/i;
const knownToken =
  /^(gh[pousr]_|github_pat_|glpat-|sk-|pk-|rk-|xox[a-z]-|AKIA|ASIA|AIza|ya29\.|eyJ|tb_|npm_|hf_|lin_|ntn_|pat)[\w-]{6,}/;

export function mayShowVariable(name: string, value: string): boolean {
  return !secretName.test(name) && (isHarmless(value) || isPlainUrl(value));
}

export function mayShowHeader(name: string, value: string): boolean {
  return harmlessHeader.has(name.toLowerCase()) || (!secretName.test(name) && isHarmless(value));
}

/** The flag of an argument such as `--token=x` or `--token`, if it announces a secret. */
export function secretFlagOf(arg: string): string | undefined {
  return secretFlag.exec(arg)?.[0];
}

/** An argument by itself: a token, or an address with a password. */
export function isSecretArgument(arg: string): boolean {
  if (knownToken.test(arg) || /:\/\/[^/@\s]*:[^/@\s]*@/.test(arg)) return true;
  return /^[A-Za-z0-9_+/=-]{24,}$/.test(arg) && /\d/.test(arg) && /[A-Z]/.test(arg) && /[a-z]/.test(arg);
}

/** Names of the parameters of a query whose values may not be shown. */
export function secretParameters(url: URL): string[] {
  return [...url.searchParams].filter(([name, value]) => !mayShowVariable(name, value)).map(([name]) => name);
}

function isHarmless(value: string): boolean {
  return !knownToken.test(value) && harmlessValue.some((pattern) => pattern.test(value));
}

function isPlainUrl(value: string): boolean {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) return false;
  const url = new URL(value);
  return url.username === '' && url.password === '' && url.search === '' && !/[A-Za-z0-9_-]{24,}/.test(url.pathname);
}
