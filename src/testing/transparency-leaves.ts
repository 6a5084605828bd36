/** The leaves, in hex, of the test vectors of Certificate Transparency's reference implementation. */
export const TRANSPARENCY_LEAVES: readonly string[] = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
