//! The words of the shop.

pub(super) const GIVEN: &[&str] = &[
    "Anna",
    "José",
    "Zoë",
    "Björn",
    "Łukasz",
    "Íñigo",
    "Мария",
    "Дмитрий",
    "秀英",
    "さくら",
    "민준",
    "محمد",
    "Ελένη",
    "Chloé",
    "O'Brien",
    "Nguyễn",
    "Mia",
    "Noah",
    "Siân",
    "Jean-Luc",
];
pub(super) const FAMILY: &[&str] = &[
    "Müller",
    "García",
    "Smith",
    "Øster",
    "Škoda",
    "Иванова",
    "王",
    "田中",
    "김",
    "D'Angelo",
    "van den Berg",
    "Papadopoulos",
    "Dvořák",
    "Åberg",
    "Nowak",
    "Silva",
    "Ó Súilleabháin",
    "Yılmaz",
];
pub(super) const STREETS: &[&str] = &[
    "Hauptstraße",
    "Rue de l'Église",
    "Calle Mayor",
    "桜通り",
    "High Street",
    "Ulica Długa",
    "Strandgade",
];
pub(super) const CITIES: &[&str] = &[
    "Hamburg",
    "København",
    "São Paulo",
    "東京",
    "Kraków",
    "Ἀθῆναι",
    "القاهرة",
    "Reykjavík",
    "München",
];
pub(super) const NOUNS: &[&str] = &[
    "Lampe",
    "Chaise",
    "Teapot ☕",
    "Sofa",
    "ランプ",
    "Regał",
    "Umbrella ☂",
    "Fahrrad 🚲",
    "Rug, \"large\"",
    "Knife\tset",
    "Café table",
];
pub(super) const OPINIONS: &[&str] = &[
    "Excellent, exactly as described.",
    "Leider kaputt angekommen.",
    "とても良いです。",
    "👍👍👍",
    "It's \"fine\".",
    "Très déçu ; à éviter.",
    "Очень хорошо!",
    "5 < 6 & 7 > 3",
    "naïve façade",
    "back\\slash",
    "",
];
pub(super) const STATUSES: &[&str] = &["open", "paid", "sent", "done", "done", "done", "cancelled"];
pub(super) const CURRENCIES: &[&str] = &["EUR", "USD", "JPY", "GBP"];
pub(super) const CARRIERS: &[&str] = &["DHL", "La Poste", "ヤマト運輸", "UPS"];
pub(super) const WAREHOUSES: &[&str] = &["Hamburg", "Łódź", "大阪"];
