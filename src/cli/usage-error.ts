/** Something that the person at the terminal can mend: told in plain words, without a stack. */
export class UsageError extends Error {}
