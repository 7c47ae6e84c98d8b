// Goal: what could reach beyond the file, or run for ever, is refused before anything loads it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkOnnx } from '../../../src/model/onnx/check-onnx.ts'
import { floats, graph, logistic, logisticParts, node, num, onnxFile, sub } from './make-onnx.ts'

const parts = logisticParts([1, 2], 0)
const tensor = (...more: Uint8Array[]): Buffer => sub(5, num(1, 1), num(2, 1), sub(8, 'far'), ...more)

test('a logistic regression passes', () => {
  assert.equal(checkOnnx(logistic([1, 2, 3], 0.5)), null)
})

const refused: Readonly<Record<string, [Uint8Array, RegExp]>> = {
  'an operator that is not listed': [graph(...parts, node({ op: 'Loop', inputs: [], outputs: [] })), /operator "Loop"/],
  'an operator of somebody else': [
    graph(...parts, node({ op: 'MatMul', inputs: [], outputs: [], domain: 'com.microsoft' })),
    /com.microsoft.MatMul/,
  ],
  'external data': [graph(...parts, tensor(sub(13, sub(1, 'location'), sub(2, '../../etc/passwd')))), /another file/],
  'external data by location alone': [graph(...parts, tensor(num(14, 1))), /another file/],
  'external data of an attribute': [
    graph(...parts, node({ op: 'Constant', inputs: [], outputs: ['c'], attributes: [sub(5, num(14, 1))] })),
    /another file/,
  ],
  'external data of a sparse tensor': [graph(...parts, sub(15, sub(1, num(14, 1)))), /another file/],
  'external data in a second graph that a parser would merge': [
    onnxFile(sub(7, ...parts), sub(7, tensor(num(14, 1)))),
    /another file/,
  ],
  'a graph inside a node': [
    graph(...parts, node({ op: 'Add', inputs: [], outputs: [], attributes: [sub(6)] })),
    /another graph/,
  ],
  'functions of its own': [onnxFile(sub(7, ...parts), sub(25)), /functions of its own/],
  'no graph': [onnxFile(), /no graph/],
  text: [Buffer.from('{"model": 1}'), /no ONNX file/],
  'nothing at all': [new Uint8Array(0), /no graph/],
}
for (const [what, [file, detail]] of Object.entries(refused)) {
  test(`refused is ${what}`, () => {
    assert.match(checkOnnx(file)?.detail ?? '', detail)
  })
}

test('a file that is cut off or overwritten anywhere gets a verdict, not an exception', () => {
  const file = logistic([1, 2], 0)
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.nat(255), (at, byte) => {
      checkOnnx(file.subarray(0, at))
      const changed = Buffer.from(file)
      changed[at] = byte
      checkOnnx(changed)
    }),
  )
  assert.equal(checkOnnx(Buffer.concat([file, sub(7, floats('more', [1], [1]))])), null)
})
