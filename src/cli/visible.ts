/**
 * Text of an event or a server, fit for a terminal: control characters (which could move the cursor, change colours or
 * type into the shell) and marks that turn the direction of text around are shown as `\u001b`, not sent. Line breaks
 * and tabs stay. JSON stays JSON: inside its strings this is how it writes such characters itself.
 */
export function visible(text: string): string {
  return text.replaceAll(
    /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
