import { hasControls } from './controls.ts';

/**
 * Whether a path stays under a root, whatever spelling the server behind may undo: percent signs (also twice), backslashes, full-width
 * characters, dots with blanks. Links on the server's disk cannot be seen from here.
 */

/** Percent signs that are still there after so many rounds are not honest. */
const rounds = 3;

/** Why `path` may leave `root`; undefined when it cannot. Both absolute or both relative. */
export function faultOfPath(path: string, root: string): string | undefined {
  const spellings = spellingsOf(path);
  if (spellings === undefined) return 'is spelled in a way that hides where it leads';
  const base = normalise(root);
  for (const spelling of spellings) {
    if (hasControls(spelling)) return 'holds a control character';
    if (!isUnder(spelling, base)) return `must stay under ${root}`;
  }
  return undefined;
}

function isUnder(spelling: string, base: string): boolean {
  const path = spelling.replace(/^file:\/\/(?:localhost)?(?=\/)/i, '').replaceAll('\\', '/');
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(path) || path.startsWith('~') || path.startsWith('//')) return false;
  // ".. " and "..;" are ".." to some; so is any step of dots and blanks.
  if (path.split('/').some((step) => step !== '..' && (/^[. ]{2,}$/.test(step) || step.startsWith('..;'))))
    return false;
  if (path.startsWith('/') !== base.startsWith('/')) return false;
  const clean = normalise(path);
  if (clean === '..' || clean.startsWith('../')) return false;
  return base === '/' || base === '.' || clean === base || clean.startsWith(`${base}/`);
}

/** The text and everything it may be taken for; undefined when decoding finds no end. */
function spellingsOf(path: string): readonly string[] | undefined {
  if (/^[ -$&-~]*$/.test(path)) return [path];
  const found = new Set([path]);
  let text = path;
  for (let round = 0; ; round += 1) {
    const wide = text.normalize('NFKC');
    found.add(wide);
    const decoded = decodePercent(wide);
    if (decoded === wide) return [...found];
    if (round === rounds) return undefined;
    found.add(decoded);
    text = decoded;
  }
}

/** Byte by byte where it is no UTF-8, as lenient servers do. */
function decodePercent(text: string): string {
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) => {
    const bytes = Buffer.from(run.replaceAll('%', ''), 'hex');
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return bytes.toString('latin1').replace(/[\u0080-\u00ff]+/g, (overlong) => shortest(overlong));
    }
  });
}

/** The overlong forms of "." and "/" in UTF-8 have fooled servers for a quarter of a century. */
function shortest(bytes: string): string {
  return bytes
    .replace(/\u00c0\u00ae/g, '.')
    .replace(/\u00c0\u00af/g, '/')
    .replace(/\u00c1\u009c/g, '\\');
}

/** Without empty steps, `.` and resolvable `..`; an absolute path never rises above `/`. */
function normalise(path: string): string {
  const absolute = path.startsWith('/');
  const kept: string[] = [];
  for (const step of path.split('/')) {
    if (step === '' || step === '.') continue;
    if (step !== '..') kept.push(step);
    else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop();
    else if (!absolute) kept.push('..');
  }
  const joined = kept.join('/');
  return absolute ? `/${joined}` : joined === '' ? '.' : joined;
}
