/**
 * What banks of the SEPA schemes have to take: the basic Latin set of the EPC implementation guidelines. What else a
 * text has is converted by EPC217-08 ("SEPA requirements for an extended character set"), as its table has it: letters
 * with a mark become the letter, Greek and Bulgarian Cyrillic are transcribed, the rest becomes a full stop.
 */
const basicLatin = /^[a-zA-Z0-9/\-?:().,'+ ]*$/

/** The text as it is sent to a bank; the same text if there is nothing to convert. */
export function toSepaText(text: string): string {
  if (basicLatin.test(text)) return text
  // Composed first, so that "e" with a combining accent is one letter and not a letter and a full stop.
  return Array.from(text.normalize('NFC'), convert).join('')
}

function convert(character: string): string {
  if (basicLatin.test(character)) return character
  const listed = conversions.get(character)
  if (listed !== undefined) return listed
  // Where the table of EPC217-08 ends (U+0180 and above) it has full stops for letters such as ș and ộ; their base
  // letter loses less.
  const [base = ''] = character.normalize('NFD')
  if (base === character) return '.'
  return basicLatin.test(base) ? base : (conversions.get(base) ?? '.')
}

const conversions = new Map<string, string>([
  ...pairs("; , [ ( \\ / ] ) _ - ` ' { ( | / } ) ~ - ¿ ? & + \u2013 - \u2014 - \u2018 ' \u2019 '"),
  ['\u00a0', ' '],
  ...pairs('Æ A Ð D Ø O Þ T ß s æ a ð d ø o þ t Đ D đ d Ħ H ħ h ı i Ĳ I ĳ i Ŀ L ŀ l Ł L ł l Œ O œ o Ŧ T ŧ t'),
  ...bothCases(
    'α a β v γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s τ t υ y φ f χ ch ψ ps ω o'
  ),
  ...pairs('ς s'),
  ...bothCases(
    'а a б b в v г g д d е e ж zh з z и i й y к k л l м m н n о o п p р r с s т t у u ф f х h ц ts ч ch ш sh щ sht ъ a ь y ю yu я ya'
  )
])

function pairs(list: string): [string, string][] {
  const words = list.split(' ')
  return words.flatMap((from, place): [string, string][] =>
    place % 2 === 0 ? [[from, words[place + 1] ?? '']] : []
  )
}

function bothCases(list: string): [string, string][] {
  return pairs(list).flatMap(([from, to]) => [
    [from, to],
    [from.toUpperCase(), to.toUpperCase()]
  ])
}
