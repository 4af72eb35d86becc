import { composeIBAN, isValidBBAN } from 'ibantools'
import { formatAmount } from '../domain/money.ts'
import { demoOrganization } from '../organizations/demo-organization.ts'
import type { BulkRequest } from '../transfers/bulk-request.ts'

/** Draws a fraction, 0 <= fraction < 1. */
export type Random = () => number

interface Country {
  /** Town of the bank: the last two characters of a BIC without branch. */
  town: string
  /** # is a digit, @ a letter, * a digit of the national key, BANK the letters of the bank. */
  account: string
  first: string
  last: string
}

/**
 * Most of the staff live in the first ones. Names are frequent ones, thrown together by chance; where surnames follow
 * the sex, all first names are of one.
 */
const countries: Record<string, Country> = {
  FR: {
    town: 'PP',
    account: '#################@###**',
    first: 'Élodie, François, Hélène, Jérôme, Zoé, Noémie, Rémi, Gaëlle, Benoît, Anaïs, Loïc, Chloé',
    last: 'Lefèvre, Bérard, Garçon, Mercier, Béranger, Gaudin, Lemaître, Chevallier, Noël, Poirier, Hébert'
  },
  DE: {
    town: 'FF',
    account: '##################',
    first: 'Jürgen, Käthe, Björn, Anneliese, Günter, Sören, Ulrike, Jörg, Bärbel, Matthias, Heike',
    last: 'Müller, Schäfer, Krüger, Weiß, Groß, Köhler, Böhm, Vogt, Schröder, Jäger, Lindner'
  },
  ES: {
    town: 'MM',
    account: '########**##########',
    first: 'José, Begoña, Íñigo, Lucía, Andrés, Inés, Joaquín, Rocío, Álvaro, Núria, Óscar',
    last: 'Núñez, Ibáñez Gil, Peña, Muñoz, Yáñez, Domínguez, Gálvez, Ordóñez, Cano Ríos, Zúñiga'
  },
  IT: {
    town: 'MM',
    account: '@######################',
    first: 'Niccolò, Chiara, Lorenzo, Giulia, Matteo, Federica, Davide, Noè, Elisa, Ilaria',
    last: "Colombo, D'Angelo, Bianchi, Ferrari, Greco, Conti, Cantù, Galli, De Santis, Marchetti"
  },
  BE: {
    town: 'BB',
    account: '##########**',
    first: 'Maëlle, Wouter, Aurélie, Joris, Noë, Sien, Timothée, Lotte, Cédric',
    last: 'Peeters, Dubois, Maes, Lambert, De Smet, Van den Broeck, Hermans, Goossens, Desmet'
  },
  NL: {
    town: '2A',
    account: 'BANK##########',
    first: 'Daniël, Sanne, Zoë, Joost, Maaike, Loïs, Bram, Renée, Thijs, Noortje',
    last: 'de Vries, van der Meer, Jansen, Bakker, van den Berg, Visser, de Boer, Mulder, Koning'
  },
  PT: {
    town: 'PL',
    account: '###################**',
    first: 'João, Inês, Gonçalo, Mafalda, Tomás, Conceição, Simão, Leonor, Sérgio',
    last: 'Gonçalves, Simões, Magalhães, Araújo, Brandão, Conceição, Leitão, Varela, Mourão'
  },
  IE: {
    town: '2D',
    account: 'BANK##############',
    first: 'Seán, Áine, Pádraig, Róisín, Ciarán, Gráinne, Oisín, Caoimhe, Eoghan',
    last: "O'Brien, Ó Dálaigh, Byrne, Kavanagh, O'Sullivan, Doyle, Mac Suibhne, Nolan, Ó Súilleabháin"
  },
  PL: {
    town: 'PW',
    account: '#######*################',
    first: 'Łukasz, Małgorzata, Paweł, Agnieszka, Michał, Żaneta, Błażej, Bożena, Stanisław',
    last: 'Wójcik, Zięba, Wróbel, Gołąb, Kozioł, Pająk, Dudek, Sikora, Kołodziej, Wąsik'
  },
  FI: {
    town: 'HH',
    account: '##############',
    first: 'Päivi, Jyrki, Väinö, Hilkka, Eetu, Säde, Olli, Kyösti, Aino',
    last: 'Hämäläinen, Mäkelä, Järvinen, Lehtonen, Mäkinen, Niemelä, Väisänen, Salo, Rönkkö'
  },
  SE: {
    town: 'SS',
    account: '####################',
    first: 'Åsa, Björn, Göran, Märta, Håkan, Linnéa, Örjan, Annika, Torbjörn',
    last: 'Sjöberg, Åkesson, Lindström, Öberg, Nyström, Bergqvist, Björklund, Ström, Hägg'
  },
  DK: {
    town: 'KK',
    account: '##############',
    first: 'Søren, Åse, Jørgen, Kåre, Mette, Bjørn, Kirstine, Rasmus, Sørine',
    last: 'Sørensen, Mølgaard, Kjær, Østergaard, Bruun, Nygaard, Søgaard, Bæk, Højlund'
  },
  CZ: {
    town: 'PP',
    account: '#########*#########*',
    first: 'Kateřina, Věra, Lenka, Eliška, Tereza, Barbora, Růžena, Zdeňka, Markéta',
    last: 'Nováková, Dvořáková, Říhová, Černá, Procházková, Šťastná, Hájková, Kučerová, Křížová'
  },
  HR: {
    town: '2X',
    account: '######*#########*',
    first: 'Željko, Tomislav, Dražen, Ivana, Snježana, Krešimir, Đurđa, Ana, Siniša',
    last: 'Horvat, Kovačević, Babić, Šimić, Jurić, Žanić, Perković, Grgić, Đurić'
  },
  SI: {
    town: '2X',
    account: '#############**',
    first: 'Špela, Matjaž, Žiga, Urška, Boštjan, Tjaša, Aleš, Maša, Tomaž',
    last: 'Novak, Kovačič, Zupančič, Potočnik, Mlakar, Žagar, Vidmar, Kralj, Hočevar'
  },
  EE: {
    town: '2X',
    account: '###############*',
    first: 'Jüri, Õnne, Ülle, Märt, Tõnu, Külli, Siim, Kärt, Villem',
    last: 'Tamm, Kõiv, Mägi, Põder, Rebane, Käär, Vähi, Sööt, Püvi'
  },
  LT: {
    town: '2X',
    account: '################',
    first: 'Jonas, Žygimantas, Ąžuolas, Šarūnas, Česlovas, Rūtenis, Mindaugas, Tomas, Žilvinas',
    last: 'Kazlauskas, Žukauskas, Šimkus, Petrauskas, Čepaitis, Jankūnas, Vaičiūnas, Urbonas'
  },
  LV: {
    town: '22',
    account: 'BANK#############',
    first: 'Līga, Ilze, Dzintra, Kristīne, Žanete, Mārīte, Aiga, Zaiga, Sniedze',
    last: 'Bērziņa, Kalniņa, Ozoliņa, Zariņa, Liepiņa, Krūmiņa, Vītola, Jansone, Āboliņa'
  },
  RO: {
    town: 'BU',
    account: 'BANK################',
    first: 'Ștefan, Ioana, Răzvan, Mădălina, Bogdan, Ilinca, Cătălin, Ruxandra, Sânziana',
    last: 'Stănescu, Țurcanu, Moldoveanu, Bălan, Rădulescu, Vîlcu, Nistor, Șerban, Dobrescu'
  },
  HU: {
    town: 'HB',
    account: '#######*###############*',
    first: 'Zsófia, Gergő, Ágnes, Lőrinc, Erzsébet, Máté, Csilla, Győző, Örs',
    last: 'Szabó, Kovács, Tóth, Németh, Horváth, Szűcs, Kőműves, Vörös, Fehér'
  },
  GR: {
    town: 'AA',
    account: '#######################',
    first: 'Eléni, Maria, Sofía, Katerína, Dímitra, Ioánna, Vasilikí, Zoí, Despina',
    last: 'Papadáki, Georgíou, Nikolaïdou, Ioannídou, Vlachou, Antoniou, Kosta, Makrí, Christoú'
  }
}

/** Invented: a payroll for trying out names no bank that exists. */
const banks = ['BHKD', 'NQRB', 'VLTX', 'QSTB']

const medianSalaryMinor = 2_850_00n
const leastSalaryMinor = 1_400_00n
const mostSalaryMinor = 9_800_00n

/** A payroll that looks real and passes every check of the engine; the same draws and date make the same payroll. */
export function makePayroll(options: {
  request_id: string
  count: number
  today: Date
  random: Random
}): BulkRequest & { control_sum: string } {
  const { count, today, random } = options
  const month = today.toLocaleDateString('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' })
  const salaries = Array.from({ length: count }, () => drawSalary(random))
  const total_minor = salaries.reduce((sum, salary_minor) => sum + salary_minor, 0n)
  return {
    request_id: options.request_id,
    organization_bic: demoOrganization.bic,
    organization_iban: demoOrganization.accounts[1].iban,
    label: `Payroll ${month}`,
    control_sum: formatAmount(total_minor, 'EUR'),
    credit_transfers: salaries.map((salary_minor, index) => ({
      amount: formatAmount(salary_minor, 'EUR'),
      currency: 'EUR',
      ...drawEmployee(random),
      description: `Salary ${month}`,
      client_transfer_id: `EMP-${String(index + 1).padStart(4, '0')}`
    }))
  }
}

/** Mulberry32: small, and the same everywhere for the same seed. For trying out, not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Log-normal, as wages are: many near the median, few far above. Only the ratio to the median is a number. */
function drawSalary(random: Random): bigint {
  return drawUntilFound(() => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const ratio_millionths = BigInt(Math.round(Math.exp(0.42 * normal) * 1e6))
    const salary_minor = (medianSalaryMinor * ratio_millionths) / 1_000_000n
    return salary_minor >= leastSalaryMinor && salary_minor <= mostSalaryMinor ? salary_minor : null
  })
}

function drawEmployee(random: Random) {
  const [code, country] = pick(Object.entries(countries), () => random() ** 2)
  const bank = pick(banks, random)
  return {
    counterparty_name: `${pick(country.first.split(', '), random)} ${pick(country.last.split(', '), random)}`,
    counterparty_bic: `${bank}${code}${country.town}${random() < 0.5 ? 'XXX' : ''}`,
    counterparty_iban: drawUntilFound(() => findIban(code, drawAccount(country, bank, random)))
  }
}

function drawAccount(country: Country, bank: string, random: Random): string {
  return country.account
    .replace('BANK', bank)
    .replaceAll('#', () => Math.floor(random() * 10).toString())
    .replaceAll('@', () => pick('ABCDEFGHJKLMNPQRSTUVWXYZ'.split(''), random))
}

/**
 * Fills in the national key by trying its at most 100 values: ten countries have ten rules, and ibantools knows them.
 * Null when no key fits, as for every eleventh number of a modulo-11 rule.
 */
function findIban(countryCode: string, account: string): string | null {
  const keyDigits = account.split('*').length - 1
  const keys = 10 ** keyDigits
  for (let tried = 1; tried <= keys; tried++) {
    const key = (tried % keys).toString().padStart(keyDigits, '0')
    let digit = 0
    const bban = account.replaceAll('*', () => key.charAt(digit++))
    if (isValidBBAN(bban, countryCode)) return composeIBAN({ countryCode, bban })
  }
  return null
}

function drawUntilFound<T>(draw: () => T | null): T {
  for (let tries = 0; tries < 100; tries++) {
    const found = draw()
    if (found !== null) return found
  }
  throw new Error('a hundred draws found nothing: the table of countries or salaries is wrong')
}

function pick<T>(list: readonly T[], random: Random): T {
  const picked = list[Math.floor(random() * list.length)]
  if (picked === undefined) throw new Error('nothing to pick from')
  return picked
}
