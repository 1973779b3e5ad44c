import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanDefinition, cleanText } from './clean-text.ts';

test('clean text - drops what cannot be seen', () => {
  assert.equal(cleanText('a\u001b[31mb\u001b[0m\u0000\u202ec\u200bd\u{e0041}e\u2066f\u0085g'), 'abcdefg');
  assert.equal(cleanText('x\u001b]0;title\u0007y'), 'xy');
  assert.equal(cleanText('\ud800'), '\ufffd');
});

test('clean text - keeps lines, tabs, every script and joined emoji', () => {
  for (const text of ['a\n\tb\r\n', 'größe', '日本語', 'العربية', '👩‍💻', '🏳️‍🌈', '👩🏽‍🚀'])
    assert.equal(cleanText(text), text);
  assert.equal(cleanText('a\u200db'), 'ab');
});

test('clean text - what is clean stays clean', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const once = cleanText(text);
      assert.doesNotMatch(once, /[\u0000-\u0008\u202a-\u202e\u{e0000}-\u{e007f}]/u);
    }),
  );
});

test('clean text - cleans prose at every depth of a definition and leaves data alone', () => {
  const bad = 'x\u200by';
  const definition = {
    name: 'tool',
    description: bad,
    annotations: { title: bad },
    inputSchema: {
      type: 'object',
      properties: {
        description: { type: 'string', description: bad, enum: [bad], default: bad, pattern: bad },
        default: { description: bad },
      },
    },
    _meta: { description: bad },
  };
  assert.deepEqual(cleanDefinition(definition, JSON.stringify(definition)), {
    name: 'tool',
    description: 'xy',
    annotations: { title: 'xy' },
    inputSchema: {
      type: 'object',
      properties: {
        description: { type: 'string', description: 'xy', enum: [bad], default: bad, pattern: bad },
        default: { description: 'xy' },
      },
    },
    _meta: { description: bad },
  });
});

test('clean text - a definition with nothing to clean is the same object', () => {
  const definition = { name: 'tool', description: 'plain\n“text” – 日本語' };
  assert.equal(cleanDefinition(definition, JSON.stringify(definition)), definition);
});
