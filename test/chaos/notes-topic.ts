/** A topic that nothing reads, whose segments are full soon, and past their retention when they are. */
export const notesTopic = 'notes'
