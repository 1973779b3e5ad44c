import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { verifies } from '../../../../test/requirements.ts';
import { faultOfUrl } from './host-rule.ts';
import { judge } from './judge.ts';
import { faultOfPath } from './path-rule.ts';
import { compileRules } from './rule.ts';

const inside = [
  '/data',
  '/data/',
  '/data/a/b.txt',
  '/data/./a',
  '/data/a/../b',
  '//data/a'.slice(1),
  'file:///data/a',
  '/data/a%20b',
  '/data/größe',
  '/data/...x',
];
const outside = [
  '/data/../etc/passwd',
  '/data/a/../../etc',
  '/database',
  '/etc/passwd',
  'data/a',
  'a',
  '',
  '~/x',
  '//host/data/a',
  'C:/data/a',
  'http://x/data/',
  '/data/%2e%2e/etc',
  '/data/%2e%2e%2fetc',
  '/data/%252e%252e%252fetc',
  '/data/%25252e%25252e/etc',
  '/data/..\\..\\etc',
  '\\data\\..\\etc',
  '/data/..%5c..%5cetc',
  '/data/a\0/../../etc',
  '/data/a%00.txt',
  '/data/.. /etc',
  '/data/..;/etc',
  '/data/…/../../etc',
  '/data/．．／etc',
  '/data/%c0%ae%c0%ae/etc',
  '/data/%ef%bc%8e%ef%bc%8e/etc',
  '/data/\n/a',
  'file:///etc/passwd',
  'file://evil/data/a',
];

test('path rule - honest paths stay under the root', () => {
  for (const path of inside) assert.equal(faultOfPath(path, '/data'), undefined, path);
  assert.equal(faultOfPath('docs/a', 'docs'), undefined);
  assert.equal(faultOfPath('a/b', '.'), undefined);
});

test('path rule - no spelling leads out', () => {
  verifies('rules:path');
  for (const path of outside) assert.ok(faultOfPath(path, '/data'), JSON.stringify(path));
  for (const path of ['../a', 'docs/../../a', '/docs/a', 'docs/..', '~']) assert.ok(faultOfPath(path, 'docs'), path);
});

test('path rule - what passes never resolves outside, however often it is decoded', () => {
  const pieces = fc.constantFrom(
    '..',
    '.',
    '/',
    '\\',
    '%2e',
    '%2f',
    '%5c',
    '%25',
    'data',
    'a',
    '%2E%2E',
    ' ',
    ';',
    '．',
    '%00',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      let path = `/data/${parts.join('')}`;
      if (faultOfPath(path, '/data') !== undefined) return;
      for (let round = 0; round < 4; round += 1) {
        const resolved = posix.normalize(path.replaceAll('\\', '/').normalize('NFKC')).replace(/^\/\//, '/');
        assert.ok(resolved === '/data' || resolved.startsWith('/data/'), `${path} → ${resolved}`);
        try {
          path = decodeURIComponent(path);
        } catch {
          return;
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test('host rule - allowed hosts pass in their usual spelling', () => {
  const hosts = ['example.com', '*.example.org', '127.0.0.1', '[::1]'];
  for (const url of [
    'https://example.com',
    'http://EXAMPLE.com:8080/a?b#c',
    'https://a.b.example.org/',
    'http://127.0.0.1/',
    'http://[::1]/',
    'https://example.com/a@b',
  ])
    assert.equal(faultOfUrl(url, hosts), undefined, url);
  assert.equal(faultOfUrl('wss://example.com/', hosts, ['wss']), undefined);
});

test('host rule - no spelling leads to another host', () => {
  verifies('rules:hosts');
  const hosts = ['example.com', '*.example.org'];
  for (const url of [
    'https://evil.test/',
    'https://example.com.evil.test/',
    'https://example.com@evil.test/',
    'https://user:pass@example.com/',
    'https://example.com\\@evil.test/',
    'https://evil.test\\.example.org/',
    'https://example.org/',
    'https://evilexample.org/',
    'https://example%2ecom/',
    'https://example.com%00.evil.test/',
    'https://exаmple.com/',
    'https://example。com/',
    'https:///example.com/',
    'https:example.com',
    '//example.com/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'ftp://example.com/',
    'https://example.com\t.evil.test/',
    ' https://example.com/',
    'https://example.com:99999/',
    'http://2130706433/',
    'example.com',
    '',
  ])
    assert.ok(faultOfUrl(url, hosts), url);
});

test('rules - violations name the place and the rule, at every depth', () => {
  const rules = compileRules([
    { argument: '/files/*/path', root: '/data' },
    { argument: 'query', deny: ['(?i)drop\\s+table', ';'], maxLength: 20 },
    { argument: '*', deny: ['secret'] },
    { argument: 'missing', root: '/x' },
  ]);
  assert.deepEqual(judge(rules, { files: [{ path: '/data/a' }, { path: '/etc' }], query: 'DROP  TABLE x' }), [
    '/files/1/path: must stay under /data (rule root)',
    '/query: holds what the operator forbids (rule deny 1)',
  ]);
  assert.deepEqual(judge(rules, { query: 'x'.repeat(21), a: { 'b/c': ['top secret'] } }), [
    '/query: is longer than 20 characters (rule maxLength)',
    '/a/b~1c/0: holds what the operator forbids (rule deny 1)',
  ]);
  assert.deepEqual(judge(rules, { files: [{ path: 7 }, { path: null }] }), ['/files/0/path: must be text (rule root)']);
});
