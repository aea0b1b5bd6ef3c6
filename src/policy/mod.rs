//! NetworkPolicy: model, strict reading, evaluation.
