import assert from 'node:assert/strict';
import { test } from 'node:test';
import { destinations, factorOf, urlOf } from './replay-arguments.ts';

const known = (server: string) => server !== 'c';
const plain = (chosen: Record<string, string>) => ({ ...chosen });

test('replay arguments - --server chooses a recorded server, or sends its calls elsewhere', () => {
  assert.deepEqual(plain(destinations([], ['a', 'b'], known)), {});
  assert.deepEqual(plain(destinations(['a'], ['a', 'b'], known)), { a: 'a' });
  assert.deepEqual(plain(destinations(['a=a-next', 'b'], ['a', 'b'], known)), { a: 'a-next', b: 'b' });
  assert.deepEqual(plain(destinations(['a-next'], ['a'], known)), { a: 'a-next' });
  assert.throws(() => destinations(['c'], ['a', 'b'], known), /no call of the server "c"/);
  assert.throws(() => destinations(['c'], ['a'], known), /no call of the server "c"/);
  assert.throws(() => destinations(['c'], [], known), /no call of the server "c"/);
});

test('replay arguments - --speed is original, max or a factor', () => {
  assert.deepEqual(['original', 'max', '10', '0.5', '10x'].map(factorOf), [1, Number.POSITIVE_INFINITY, 10, 0.5, 10]);
  for (const text of ['', '0', '-1', 'fast', 'NaN', '1e3']) assert.throws(() => factorOf(text), /--speed/, text);
});

test('replay arguments - --to is an http URL without credentials', () => {
  assert.equal(urlOf('http://127.0.0.1:8080').href, 'http://127.0.0.1:8080/mcp');
  assert.equal(urlOf('https://host/mcp').href, 'https://host/mcp');
  for (const text of ['host', 'ftp://host/', 'http://user:password@host/'])
    assert.throws(() => urlOf(text), /--to/, text);
});
