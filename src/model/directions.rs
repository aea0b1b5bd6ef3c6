/// The directions that a proposal closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Directions {
    /// Who may reach them.
    Ingress,
    /// What they may reach.
    Egress,
    /// Both.
    #[default]
    Both,
}

impl Directions {
    /// Whether it closes who may reach them.
    #[must_use]
    pub fn has_ingress(self) -> bool {
        self != Self::Egress
    }

    /// Whether it closes what they may reach.
    #[must_use]
    pub fn has_egress(self) -> bool {
        self != Self::Ingress
    }
}
