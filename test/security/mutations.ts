import fc from 'fast-check';

type Json = null | boolean | number | string | Json[] | { [member: string]: Json };

/** What stands where something else is expected. */
const odd: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, -1, 0, 1e308, 2 ** 53, '', 'x', '>', 'a.b.*', '\u0000', '\r\nPUB x 0\r\n', [], {}),
  fc.constantFrom<Json>([null], { a: 1 }, 'constructor', '__proto__', 'x'.repeat(5_000), '😀\ud800'),
  fc.jsonValue().map((value) => value as Json),
);

/** JSON text like the given one, with a few of its values and members changed; text that is no JSON comes back cut and doubled. */
export function mutatedJson(text: string): fc.Arbitrary<string> {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return fc.nat(text.length).map((at) => text.slice(0, at) + text);
  }
  const change = fc.record({
    place: fc.nat(1_000),
    how: fc.constantFrom('replace', 'delete', 'add', 'twice'),
    value: odd,
  });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    let text = JSON.stringify(value);
    for (const { place, how, value: put } of changes) text = changed(text, place, how, put);
    return text;
  });
}

function changed(text: string, place: number, how: string, put: Json): string {
  let root: Json;
  try {
    root = JSON.parse(text) as Json;
  } catch {
    return text;
  }
  const places = placesOf(root);
  const at = places[place % Math.max(1, places.length)];
  if (at === undefined) return JSON.stringify(put);
  const { holder, member } = at;
  if (Array.isArray(holder)) holder[Number(member)] = put;
  else if (how === 'delete') delete holder[member];
  else if (how === 'add') holder[`${member}x`] = put;
  else if (how === 'twice')
    return JSON.stringify(root).replace(
      `${JSON.stringify(member)}:`,
      (found) => `${found}${JSON.stringify(put)},${found}`,
    );
  else Object.defineProperty(holder, member, { value: put, enumerable: true, configurable: true, writable: true });
  return JSON.stringify(root);
}

interface Place {
  readonly holder: Json[] | { [member: string]: Json };
  readonly member: string;
}

function placesOf(value: Json): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([member, inner]) => [{ holder: value, member }, ...placesOf(inner)]);
}
