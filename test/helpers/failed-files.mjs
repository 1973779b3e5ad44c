/** A reporter for node's test runner: the file of each failure, a line each. */
export default async function* failedFiles(events) {
  for await (const { type, data } of events) {
    // What a test is expected not to do yet is no failure.
    if (type === 'test:fail' && data.file && data.todo === undefined) yield `${data.file}\n`;
  }
}
