/** Custom properties of the theme that color series, in their order; the colorblind can tell them apart. */
export const PALETTE: readonly string[] = ["--device", "--ram", "--third", "--fourth", "--dim"];
