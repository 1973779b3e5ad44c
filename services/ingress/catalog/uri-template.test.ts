import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTemplate } from './uri-template.ts';

const cases: [template: string, uri: string, matches: boolean][] = [
  ['demo://resource/{id}', 'demo://resource/7', true],
  ['demo://resource/{id}', 'demo://resource/', false],
  ['demo://resource/{id}', 'demo://resource/7/8', false],
  ['demo://{a}/{b}.json', 'demo://x/y.z.json', true],
  ['file:///{+path}', 'file:///a/b/c', true],
  ['file:///{+path}', 'http:///a', false],
  ['repo://{owner}/{repo}/contents{/path*}', 'repo://a/b/contents/c/d', true],
  ['search://items{?q,page}', 'search://items?q=1&page=2', true],
  ['search://items{?q,page}', 'search://items', true],
  ['x://{a}{b}', 'x://ab', true],
  ['x://{a}{b}', 'x://a', false],
];

for (const [template, uri, matches] of cases) {
  test(`uri template - ${template} ${matches ? 'makes' : 'does not make'} ${uri}`, () => {
    assert.equal(compileTemplate(template)?.matches(uri), matches);
  });
}

test('uri template - refuses what is malformed or has too many expressions', () => {
  for (const template of ['x://{', 'x://{}', 'x://}', 'x://{a{b}}', '{a}'.repeat(33)])
    assert.equal(compileTemplate(template), undefined, template);
});

test('uri template - a hostile template costs no more than its expressions', () => {
  assert.equal(compileTemplate(`${'{+x}a'.repeat(32)}b`)?.matches('a'.repeat(8_000)), false);
});
