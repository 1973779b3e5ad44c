/**
 * Names that read like others. A model, like a person, takes `ѕearch` with a Cyrillic letter for `search`; so such a name is kept from agents
 * (after Unicode TS 39, with the letters that are mistaken for those of tool names).
 */

const pairs = [
  // Cyrillic, small and capital
  'аaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwӏlкkмmнhтtвbгrьb',
  'АAВBЕEКKМMНHОOРPСCТTУYХXЅSІIЈJҮYԌGԜW',
  // Greek, small and capital
  'αaιiκkνvοoρpτtυuχxγyωw',
  'ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧX',
  // Latin, Armenian, Cherokee
  'ıiɡgɑaɩiʟlᴏoᴄcᴜuᴠvᴡwᴢzǃl',
  'օoսuհhոnցgզqԱU',
  'ᎪAᏴBᏟCᎬEᎻHᎫJᏦKᏞLᎷMᏢPᎡRᏚSᎢTᏙVᎳWᏃZ',
].join('');
const twins: ReadonlyMap<string, string> = new Map(
  Array.from(pairs.matchAll(/(.)(.)/gu), ([, letter = '', plain = '']) => [letter, plain]),
);

const otherScript = /\p{Script=Cyrillic}|\p{Script=Greek}|\p{Script=Armenian}|\p{Script=Cherokee}/u;

/** Why a name deceives by its letters alone; undefined for one that does not, in whatever script it is. */
export function deceives(name: string): string | undefined {
  const wide = name.normalize('NFKC');
  const plain = spellPlainly(wide);
  if (plain === name) return undefined;
  if (isAscii(plain) && !isAscii(name) && /[A-Za-z0-9]/.test(plain)) {
    const bare = name.normalize('NFD').replace(/\p{M}/gu, '');
    // Accents alone are honest.
    return isAscii(bare) ? undefined : `it reads like "${plain}" and is spelled with other letters`;
  }
  return /[A-Za-z]/.test(wide) && otherScript.test(wide) ? 'it mixes letters of different scripts' : undefined;
}

/** Equal for two names that are taken for each other: letters that look alike, accents and case do not count. */
export function skeleton(name: string): string {
  return spellPlainly(name.normalize('NFKC')).toLowerCase();
}

function spellPlainly(text: string): string {
  return Array.from(text.normalize('NFD').replace(/\p{M}/gu, ''), (letter) => twins.get(letter) ?? letter).join('');
}

function isAscii(text: string): boolean {
  return !/[^ -~]/.test(text);
}
