/**
 * The file of a model's onnx flavour, from the file `MLmodel`; else the flavours that it has. The file is YAML in the one
 * form that MLflow writes: nested maps, indented by two, of which two lines matter here.
 */
export function onnxFileIn(text: string): string | { readonly flavours: readonly string[] } {
  const flavours: string[] = []
  let [inFlavours, flavour] = [false, '']
  for (const line of text.split(/\r?\n/)) {
    const match = /^(?<indent> *)(?<key>[\w.-]+):(?: +(?<value>\S.*?))? *$/.exec(line)
    if (match === null) continue
    const { indent = '', key = '', value = '' } = match.groups!
    if (indent.length === 0) inFlavours = key === 'flavors'
    if (!inFlavours) continue
    if (indent.length === 2) flavours.push((flavour = key))
    if (indent.length === 4 && flavour === 'onnx' && key === 'data') {
      const file = value.replace(/^(['"])(.*)\1$/, '$2')
      // Within the model's own folder.
      if (/^[\w.-]+(\/[\w.-]+)*$/.test(file) && !file.split('/').includes('..')) return file
    }
  }
  return { flavours }
}
