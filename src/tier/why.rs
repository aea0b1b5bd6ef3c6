//! Why an endpoint is in its role: what it shares with it and what it lacks, and the same for the nearest other role.

use foldhash::HashSet;

use super::{Joined, Member, Role, Tiers, reason::Common, similarity::ONE, token::Token};

/// Something that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `serves TCP/5432`.
    pub what: String,
    /// How many members of the role do it.
    pub inside: u64,
    /// How many endpoints in scope do it.
    pub of_all: u64,
    /// Its weight in hundredths: how rare it is.
    pub weight: u64,
}

/// An endpoint beside a role.
pub struct Beside<'t> {
    /// The role.
    pub role: &'t Role,
    /// How alike they are, in percent; for its own role to the other members.
    pub similarity_percent: Option<u64>,
    /// What the endpoint does and half of the role does too.
    pub shared: Vec<Said>,
    /// What half of the role does and the endpoint does not.
    pub missing: Vec<Said>,
    /// What the endpoint does and less than half of the role does.
    pub own: Vec<Said>,
}

/// Why an endpoint is where it is.
pub struct Why<'t> {
    /// Its own role.
    pub own: Beside<'t>,
    /// The other role that it is most like.
    pub nearest: Option<Beside<'t>>,
    /// How it came there, where not by likeness.
    pub note: Option<&'static str>,
}

impl Tiers {
    /// The endpoints that a name means, where they are several: each as it can be asked for alone.
    #[must_use]
    pub fn several(&self, name: &str) -> Vec<String> {
        let alike = self.graph.members.iter().filter(|member| member.name == name);
        let all: Vec<String> = alike.map(Member::with_kind).collect();
        if all.len() > 1 { all } else { Vec::new() }
    }

    /// Looks at one endpoint, by its name, or with its kind where others have the name.
    #[must_use]
    pub fn why(&self, name: &str) -> Option<Why<'_>> {
        let is_it = |member: &Member| member.name == name || member.with_kind() == name;
        let member = self.graph.members.iter().position(is_it)?;
        let class = *self.signatures.class_of.get(member)?;
        let role = self.groups.iter().position(|group| group.contains(&class))?;
        let nearest = self.nearest(class, role);
        let given = self.graph.members.get(member).is_some_and(|member| member.role.is_some());
        let note = match self.joined.get(&class) {
            _ if given => Some("an operator gave it this role"),
            Some(Joined::Explained) => {
                Some("it was seen with the outside alone, and does what this role and no other does")
            }
            Some(Joined::Passed) => Some("it calls nothing and serves what this role calls at several servers"),
            Some(Joined::Copies) => Some("it copies one of this role"),
            None => None,
        };
        Some(Why {
            own: self.beside(class, role, self.to_own(class, role)),
            nearest: nearest.map(|(similarity, other)| self.beside(class, other, Some(similarity))),
            note,
        })
    }

    /// The mean similarity to the other members of its role.
    fn to_own(&self, class: u32, role: usize) -> Option<u64> {
        let this = self.weighted.get(class as usize)?;
        let (mut sum, mut count) = (0, 0);
        for other in &self.groups[role] {
            let members = self.signatures.classes.get(*other as usize)?.members.len() as u64;
            let others = if *other == class { members - 1 } else { members };
            let similarity = if *other == class { ONE } else { this.similarity(self.weighted.get(*other as usize)?) };
            (sum, count) = (sum + similarity * others, count + others);
        }
        (count > 0).then(|| sum / count)
    }

    fn beside(&self, class: u32, role: usize, similarity: Option<u64>) -> Beside<'_> {
        let size = self.size(role);
        let has =
            |token| self.signatures.classes[class as usize].has.binary_search_by(|it| it.token.cmp(&token)).is_ok();
        let of_role = self.does(role);
        let said = |it: &Common| Said {
            what: it.token.to_string(),
            inside: it.inside,
            of_all: self.weights.count(it.token),
            weight: it.weight * 100 / ONE,
        };
        let (most, few): (Vec<Common>, Vec<Common>) = of_role.iter().partition(|it| it.inside * 2 >= size);
        let mut own: Vec<Common> = few.into_iter().filter(|it| has(it.token)).collect();
        let alone = self.signatures.classes[class as usize].has.iter().map(|has| has.token);
        let known: HashSet<Token> = of_role.iter().map(|it| it.token).collect();
        let alone = alone.filter(|token| !known.contains(token));
        own.extend(alone.map(|token| Common { token, inside: 0, weight: self.weights.rarity(token) }));
        own.sort_by_key(|it| (std::cmp::Reverse(it.weight), it.token));
        Beside {
            role: &self.roles[role],
            similarity_percent: similarity.map(|it| it * 100 / ONE),
            shared: most.iter().filter(|it| has(it.token)).map(said).collect(),
            missing: most.iter().filter(|it| !has(it.token)).map(said).collect(),
            own: own.iter().map(said).collect(),
        }
    }
}
