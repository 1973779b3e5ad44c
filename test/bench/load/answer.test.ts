import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, createAnswerReader, jsonText } from './answer.ts';

const plain = 'HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 7\r\n\r\n{"a":1}';
const chunked =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nmcp-session-id: abc\r\ntransfer-encoding: chunked\r\n\r\n' +
  'd\r\nevent: x\ndata\r\n9\r\n: {"b":2}\r\n2\r\n\n\n\r\n0\r\n\r\n';
const empty = 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n';

function read(pieces: readonly Buffer[]): Answer[] {
  const answers: Answer[] = [];
  const feed = createAnswerReader((answer) => answers.push(answer));
  for (const piece of pieces) feed(piece);
  return answers;
}

test('answer reader - reads the same answers however the bytes are cut', () => {
  const bytes = Buffer.from(plain + chunked + empty + plain);
  for (const size of [1, 2, 3, 7, 64, bytes.length]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    const answers = read(pieces);
    assert.deepEqual(
      answers.map((answer) => [answer.status, jsonText(answer).toString().trim()]),
      [
        [200, '{"a":1}'],
        [200, '{"b":2}'],
        [202, ''],
        [200, '{"a":1}'],
      ],
      `cut into pieces of ${size}`,
    );
    assert.equal(answers[1]?.session, 'abc');
    assert.equal(answers[0]?.contentType, 'application/json');
  }
});

test('answer reader - refuses what is not HTTP', () => {
  assert.throws(() => read([Buffer.from('SSH-2.0-x\r\n\r\n')]), /not an HTTP/);
  assert.throws(() => read([Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')]), /chunk size/);
});
