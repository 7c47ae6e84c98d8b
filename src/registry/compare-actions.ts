import { type Change, changesOfKind, memberWords, otherMembers, type Side, treeWords } from './changes.ts'

const noRenames: ReadonlyMap<string, string> = new Map()

/** An action of another name is another one: it acts on what is predicted from then on. */
export function actionChanges(was: Side, is: Side): Change[] {
  return changesOfKind(was.actions, is.actions, {
    what: 'action',
    renames: noRenames,
    compare: (before, after) => {
      const words = [
        memberWords('on', before.on.model, after.on.model),
        treeWords(before.when, after.when),
        ...otherMembers(before.to, after.to, []),
        ...otherMembers({ output: before.on.output }, { output: after.on.output }, []),
      ].filter((one) => one !== null)
      if (words.length === 0) return []
      return [{ kind: 'changed', what: 'action', name: after.name, words: words.join(', '), incompatible: null }]
    },
  })
}
