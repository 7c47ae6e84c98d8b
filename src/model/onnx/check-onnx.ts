import { readFields, textOf, WireError } from './protobuf.ts'

/** Why a file is refused, and what is allowed instead. */
export type OnnxRefusal = { readonly detail: string; readonly allowed: string }

const nodesMax = 10_000

/** The standard's own operators; others are native code that somebody has to bring along. */
const domains = ['', 'ai.onnx', 'ai.onnx.ml']

/**
 * What models on vectors are made of: linear algebra, element-wise functions, trees, scalers. Not here: what runs other
 * graphs (If, Loop, Scan), keeps state (Random…, recurrent cells), or makes large tensors of small ones (Expand, Tile,
 * ConstantOfShape, Range, Resize).
 */
const operators = new Set(
  [
    'Abs Add And ArgMax ArgMin BatchNormalization Cast Ceil Clip Concat Constant Div Dropout Elu Equal Erf Exp Flatten',
    'Floor Gather Gelu Gemm Greater GreaterOrEqual HardSigmoid Identity IsInf IsNaN LayerNormalization LeakyRelu Less',
    'LessOrEqual Log LogSoftmax MatMul Max Mean Min Mul Neg Not Or PRelu Pow Reciprocal ReduceMax ReduceMean ReduceMin',
    'ReduceSum ReduceSumSquare Relu Reshape Round Selu Shape Sigmoid Sign Slice Softmax Softplus Softsign Split Sqrt',
    'Squeeze Sub Sum Tanh Transpose Unsqueeze Where Xor',
    'ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LabelEncoder LinearClassifier LinearRegressor Normalizer',
    'OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor',
  ].flatMap((line) => line.split(' ')),
)

/**
 * Looks at an ONNX file before anything loads it: null when it may be loaded. Only what is refused is looked for; that
 * the file makes sense is for the runtime to say. Field numbers are those of `onnx.proto`.
 */
export function checkOnnx(file: Uint8Array): OnnxRefusal | null {
  const refusals: OnnxRefusal[] = []
  try {
    checkModel(file, refusals)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return { detail: `it is no ONNX file: ${error.message}`, allowed: 'Give a model as an ONNX exporter writes it.' }
  }
  return refusals[0] ?? null
}

function checkModel(file: Uint8Array, refusals: OnnxRefusal[]): void {
  let graphs = 0
  for (const { field, bytes } of readFields(file)) {
    if (field === 20 || field === 25) {
      const what = field === 20 ? 'training steps' : 'functions of its own'
      refusals.push({ detail: `it holds ${what}`, allowed: 'Export the model for inference, with functions inlined.' })
    }
    if (field !== 7) continue
    graphs += 1
    checkGraph(messageOf(bytes), refusals)
  }
  if (graphs === 0) throw new WireError('it has no graph')
}

function checkGraph(graph: Uint8Array, refusals: OnnxRefusal[]): void {
  let nodes = 0
  for (const { field, bytes } of readFields(graph)) {
    if (field === 1) {
      nodes += 1
      checkNode(messageOf(bytes), refusals)
    }
    if (field === 5) checkTensor(messageOf(bytes), refusals)
    if (field === 15) checkSparse(messageOf(bytes), refusals)
  }
  if (nodes > nodesMax) refusals.push({ detail: `it has ${nodes} nodes`, allowed: `Allowed are ${nodesMax}.` })
}

function checkNode(node: Uint8Array, refusals: OnnxRefusal[]): void {
  let [operator, domain] = ['', '']
  for (const { field, bytes } of readFields(node)) {
    if (field === 4) operator = textOf(messageOf(bytes))
    if (field === 7) domain = textOf(messageOf(bytes))
    if (field === 5) checkAttribute(messageOf(bytes), refusals)
  }
  if (!domains.includes(domain) || !operators.has(operator)) {
    const name = `${domain === '' ? '' : `${domain}.`}${operator}`.slice(0, 100)
    const allowed =
      operator === 'ZipMap'
        ? 'Export with zipmap off: options={id(model): {"zipmap": False}}.'
        : `Allowed are ${[...operators].join(', ')}.`
    refusals.push({ detail: `it uses the operator ${JSON.stringify(name)}`, allowed })
  }
}

function checkAttribute(attribute: Uint8Array, refusals: OnnxRefusal[]): void {
  for (const { field, bytes } of readFields(attribute)) {
    if (field === 6 || field === 11) {
      refusals.push({ detail: 'a node holds another graph', allowed: 'Export the model without control flow.' })
    }
    if (field === 5 || field === 10) checkTensor(messageOf(bytes), refusals)
    if (field === 22 || field === 23) checkSparse(messageOf(bytes), refusals)
  }
}

function checkSparse(sparse: Uint8Array, refusals: OnnxRefusal[]): void {
  for (const { field, bytes } of readFields(sparse)) {
    if (field === 1 || field === 2) checkTensor(messageOf(bytes), refusals)
  }
}

/** A tensor may name another file, anywhere on this machine, that holds its numbers. */
function checkTensor(tensor: Uint8Array, refusals: OnnxRefusal[]): void {
  for (const { field, number } of readFields(tensor)) {
    if (field === 13 || (field === 14 && number !== 0)) {
      const allowed = 'Save the model as one file, without external data.'
      refusals.push({ detail: 'a tensor lies in another file', allowed })
    }
  }
}

function messageOf(bytes: Uint8Array | null): Uint8Array {
  if (bytes === null) throw new WireError('a message is written as a number')
  return bytes
}
