//! From MiniJinja's syntax tree to ours: what the language does not offer is refused here, with place, reason and an
//! example, and so is every name that no booking has. The parser's own types, which may change with any version of
//! MiniJinja, are named in this file and where it is called, and nowhere else.

use std::collections::BTreeSet;

use minijinja::{
    machinery::{
        Span,
        ast::{BinOpKind, CallArg, CompareOpKind, Expr, Stmt, UnaryOpKind},
    },
    value::{Value, ValueKind},
};
use rust_decimal::Decimal;

use super::{
    CompileError, DEPTH_MAX, Datum, Place, Read,
    functions::{self, Function, Usage},
    names::{self, Shape, Words},
    place_of,
};

/// A stretch of a template.
#[derive(Debug)]
pub(super) enum Part {
    Raw(String),
    Emit(Node),
    If { cond: Node, yes: Vec<Part>, no: Vec<Part> },
    For { list: Node, filter: Option<Node>, body: Vec<Part>, otherwise: Vec<Part>, place: Place },
}

/// An expression.
#[derive(Debug)]
pub(super) enum Node {
    Const(Datum),
    Root(String),
    /// A loop's variable, counted from the outermost.
    Local(usize),
    Attr(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Calculate(Calculate, Box<Node>, Box<Node>, Place),
    Compare(Box<Node>, Vec<(Comparison, Node)>, Place),
    If(Box<Node>, Box<Node>, Option<Box<Node>>),
    Call(&'static Function, Vec<Node>, Place),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Place),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calculate {
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideWhole,
    Remainder,
    Join,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

pub(super) struct Lower<'s> {
    source: &'s str,
    words: Words,
    depth: usize,
    /// The variables of the loops around, the outermost first; each loop has two, its entry and `loop`.
    locals: Vec<(String, Shape)>,
    reads: Vec<Read>,
    /// The names that were met, by their first words.
    roots: BTreeSet<String>,
}

type Lowered = Result<(Node, Shape), CompileError>;

impl<'s> Lower<'s> {
    pub fn new(source: &'s str, words: Words) -> Self {
        Self { source, words, depth: 0, locals: Vec::new(), reads: Vec::new(), roots: BTreeSet::new() }
    }

    /// What was named: CRM fields, and the first words of names.
    pub fn named(mut self) -> (Vec<Read>, BTreeSet<String>) {
        self.reads.sort();
        self.reads.dedup();
        (self.reads, self.roots)
    }

    pub fn template(&mut self, template: &Stmt<'_>) -> Result<Vec<Part>, CompileError> {
        match template {
            Stmt::Template(template) => self.parts(&template.children),
            other => Ok(vec![self.part(other)?]),
        }
    }

    pub fn expression(&mut self, expr: &Expr<'_>) -> Result<Node, CompileError> {
        Ok(self.node(expr)?.0)
    }

    fn place(&self, span: Span) -> Place {
        place_of(self.source, span.start_offset as usize)
    }

    fn refuse(&self, span: Span, reason: impl Into<String>, example: impl Into<String>) -> CompileError {
        CompileError::at(self.place(span), reason, example)
    }

    fn deeper(&mut self, span: Span) -> Result<(), CompileError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let reason = format!("nested or chained more than {DEPTH_MAX} deep");
            return Err(self.refuse(span, reason, "{{ [answer(\"A\"), answer(\"B\"), answer(\"C\")]|join(\" \") }}"));
        }
        Ok(())
    }

    fn parts(&mut self, statements: &[Stmt<'_>]) -> Result<Vec<Part>, CompileError> {
        statements.iter().map(|statement| self.part(statement)).collect()
    }

    fn part(&mut self, statement: &Stmt<'_>) -> Result<Part, CompileError> {
        let span = span_of(statement);
        self.deeper(span)?;
        let part = match statement {
            Stmt::EmitRaw(raw) => Part::Raw(raw.raw.to_owned()),
            Stmt::EmitExpr(emit) => Part::Emit(self.expression(&emit.expr)?),
            Stmt::IfCond(cond) => Part::If {
                cond: self.expression(&cond.expr)?,
                yes: self.parts(&cond.true_body)?,
                no: self.parts(&cond.false_body)?,
            },
            Stmt::ForLoop(repeat) => {
                let Expr::Var(target) = &repeat.target else {
                    return Err(self.refuse(span, "a loop has one variable", "{% for guest in guests %}"));
                };
                if repeat.recursive {
                    return Err(self.refuse(span, "a loop cannot call itself", "{% for guest in guests %}"));
                }
                let (list, shape) = self.node(&repeat.iter)?;
                let outside = self.locals.len();
                self.locals.push((target.id.to_owned(), names::entry(&shape)));
                self.locals.push(("loop".to_owned(), Shape::Any));
                let filter = repeat.filter_expr.as_ref().map(|filter| self.expression(filter)).transpose()?;
                let body = self.parts(&repeat.body)?;
                self.locals.truncate(outside);
                let otherwise = self.parts(&repeat.else_body)?;
                Part::For { list, filter, body, otherwise, place: self.place(span) }
            }
            _ => {
                return Err(self.refuse(
                    span,
                    "only {% if … %} and {% for … in … %} are understood; values cannot be kept under a name",
                    "{% if booking.is_cancelled %}Cancelled{% else %}Booked{% endif %}",
                ));
            }
        };
        self.depth -= 1;
        Ok(part)
    }

    fn node(&mut self, expr: &Expr<'_>) -> Lowered {
        self.deeper(expr.span())?;
        let lowered = self.node_at(expr)?;
        self.depth -= 1;
        Ok(lowered)
    }

    fn boxed(&mut self, expr: &Expr<'_>) -> Result<Box<Node>, CompileError> {
        Ok(Box::new(self.node(expr)?.0))
    }

    fn node_at(&mut self, expr: &Expr<'_>) -> Lowered {
        let span = expr.span();
        let place = self.place(span);
        let node = match expr {
            Expr::Const(value) => Node::Const(self.constant(&value.value, span)?),
            Expr::Var(var) => return self.variable(var.id, span),
            Expr::GetAttr(get) => return self.attribute(&get.expr, get.name, span),
            Expr::GetItem(get) => return self.index(&get.expr, &get.subscript_expr, span),
            Expr::UnaryOp(unary) => match unary.op {
                UnaryOpKind::Not => Node::Not(self.boxed(&unary.expr)?),
                UnaryOpKind::Neg => {
                    let zero = Box::new(Node::Const(Datum::Number(Decimal::ZERO)));
                    Node::Calculate(Calculate::Subtract, zero, self.boxed(&unary.expr)?, place)
                }
            },
            Expr::BinOp(op) => {
                let (left, right) = (self.boxed(&op.left)?, self.node(&op.right)?.0);
                self.operation(op.op, left, right, span)?
            }
            Expr::Compare(compare) => {
                let first = self.boxed(&compare.expr)?;
                let rest = compare.ops.iter().map(|op| Ok((comparison(op.op), self.node(&op.expr)?.0)));
                Node::Compare(first, rest.collect::<Result<_, CompileError>>()?, place)
            }
            Expr::IfExpr(choice) => {
                let (test, yes) = (self.boxed(&choice.test_expr)?, self.boxed(&choice.true_expr)?);
                Node::If(test, yes, choice.false_expr.as_ref().map(|no| self.boxed(no)).transpose()?)
            }
            Expr::Filter(filter) => {
                let function = self.function(filter.name, Usage::Filter, span)?;
                let subject = filter.expr.as_ref().map(|expr| self.node(expr)).transpose()?;
                let shape = match (function.name, &subject) {
                    ("first" | "last", Some((_, shape))) => names::entry(shape),
                    _ => Shape::Any,
                };
                let args = subject.map(|(node, _)| node).into_iter().collect();
                return Ok((self.call(function, args, &filter.args, span)?, shape));
            }
            Expr::Test(test) => {
                let function = self.function(test.name, Usage::Test, span)?;
                let subject = vec![self.node(&test.expr)?.0];
                self.call(function, subject, &test.args, span)?
            }
            Expr::Call(call) => {
                let Expr::Var(name) = &call.expr else {
                    return Err(self.refuse(
                        span,
                        "values have no functions of their own; a filter stands behind a bar",
                        "{{ invitee.email|lower }}",
                    ));
                };
                if self.words == Words::Record {
                    return Err(self.refuse(span, "a record has no functions, only filters", "{{ value|upper }}"));
                }
                let function = self.function(name.id, Usage::Function, span)?;
                // Every function looks into the booking.
                self.roots.insert(format!("{}()", function.name));
                self.call(function, Vec::new(), &call.args, span)?
            }
            Expr::List(list) => Node::List(self.nodes(&list.items)?),
            Expr::Tuple(tuple) => Node::List(self.nodes(&tuple.items)?),
            Expr::Map(map) => {
                let (keys, values) = (self.nodes(&map.keys)?, self.nodes(&map.values)?);
                Node::Map(keys.into_iter().zip(values).collect(), place)
            }
            Expr::Slice(_) => {
                return Err(self.refuse(
                    span,
                    "stretches like [1:3] are not understood",
                    "{{ booking.title|truncate(20) }}",
                ));
            }
        };
        Ok((node, Shape::Any))
    }

    fn nodes(&mut self, exprs: &[Expr<'_>]) -> Result<Vec<Node>, CompileError> {
        exprs.iter().map(|expr| Ok(self.node(expr)?.0)).collect()
    }

    fn constant(&self, value: &Value, span: Span) -> Result<Datum, CompileError> {
        let number = |text: String| Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text)).ok();
        match value.kind() {
            ValueKind::None | ValueKind::Undefined => Ok(Datum::Null),
            ValueKind::Bool => Ok(Datum::Bool(value.is_true())),
            ValueKind::Number => number(value.to_string())
                .map(Datum::Number)
                .ok_or_else(|| self.refuse(span, "a number of too many digits", "{{ 1250.50 }}")),
            _ => Ok(Datum::text(value.as_str().unwrap_or_default())),
        }
    }

    fn variable(&mut self, name: &str, span: Span) -> Lowered {
        if let Some(at) = self.locals.iter().rposition(|(local, _)| local == name) {
            return Ok((Node::Local(at), self.locals[at].1.clone()));
        }
        if self.words == Words::Record {
            return self.record_word(name, span);
        }
        if names::is_root(name) {
            self.roots.insert(name.to_owned());
            return Ok((Node::Root(name.to_owned()), Shape::Path(name.to_owned())));
        }
        let mut known: Vec<&str> = names::roots().collect();
        known.extend(self.locals.iter().map(|(local, _)| local.as_str()));
        let example = match names::nearest(name, known) {
            Some(meant) => format!("{{{{ {meant} }}}}"),
            None => "{{ answer(\"Company\") }} for an answer, {{ \"Web\" }} for a text".to_owned(),
        };
        Err(self.refuse(span, format!("there is no `{name}`"), example))
    }

    /// What can be named of a record: `value`, the field that is converted, and `record`, of which every field.
    fn record_word(&mut self, name: &str, span: Span) -> Lowered {
        let shape = match name {
            "value" => Shape::Any,
            "record" => Shape::Path(name.to_owned()),
            _ => {
                return Err(self.refuse(
                    span,
                    format!("there is no `{name}`"),
                    "{{ value|upper }} or record.Active__c",
                ));
            }
        };
        self.roots.insert(name.to_owned());
        Ok((Node::Root(name.to_owned()), shape))
    }

    fn attribute(&mut self, of: &Expr<'_>, name: &str, span: Span) -> Lowered {
        let (node, shape) = self.node(of)?;
        let shape = self.named_part(&shape, name, span)?;
        Ok((Node::Attr(Box::new(node), name.to_owned()), shape))
    }

    fn index(&mut self, of: &Expr<'_>, subscript: &Expr<'_>, span: Span) -> Lowered {
        let (node, shape) = self.node(of)?;
        if let Expr::Const(name) = subscript
            && let Some(name) = name.value.as_str()
        {
            let shape = self.named_part(&shape, name, span)?;
            return Ok((Node::Attr(Box::new(node), name.to_owned()), shape));
        }
        let inner = names::entry(&shape);
        Ok((Node::Index(Box::new(node), self.boxed(subscript)?), inner))
    }

    fn named_part(&mut self, shape: &Shape, name: &str, span: Span) -> Result<Shape, CompileError> {
        if self.words == Words::Record
            && let Shape::Path(path) = shape
        {
            self.reads.push(Read { root: path.clone(), field: name.to_owned() });
            return Ok(Shape::Any);
        }
        if let Shape::Path(path) = shape
            && names::is_list(shape)
        {
            let (reason, example) =
                (format!("`{path}` is a list"), format!("{{{{ {path}[0].{name} }}}} or {{% for one in {path} %}}"));
            return Err(self.refuse(span, reason, example));
        }
        if let Shape::Path(path) = shape
            && let Some(root) = path.strip_suffix(".fields")
        {
            self.reads.push(Read { root: root.to_owned(), field: name.to_owned() });
        }
        if let Shape::Path(path) = shape {
            self.roots.insert(format!("{path}.{name}"));
        }
        names::part(shape, name).map_err(|known| {
            let path = match shape {
                Shape::Path(path) => path.replace("[]", ""),
                Shape::Any => String::new(),
            };
            let meant = names::nearest(name, known.iter().copied()).or(known.first().copied()).unwrap_or_default();
            let reason = format!("`{path}` has no `{name}`, only {}", known.join(", "));
            self.refuse(span, reason, format!("{{{{ {path}.{meant} }}}}"))
        })
    }

    fn operation(&self, op: BinOpKind, left: Box<Node>, right: Node, span: Span) -> Result<Node, CompileError> {
        use BinOpKind as Op;
        let place = self.place(span);
        let calculate = |how, left, right| Node::Calculate(how, left, Box::new(right), place);
        let compare = |how, left, right| Node::Compare(left, vec![(how, right)], place);
        Ok(match op {
            Op::ScAnd => Node::And(left, Box::new(right)),
            Op::ScOr => Node::Or(left, Box::new(right)),
            Op::Add => calculate(Calculate::Add, left, right),
            Op::Sub => calculate(Calculate::Subtract, left, right),
            Op::Mul => calculate(Calculate::Multiply, left, right),
            Op::Div => calculate(Calculate::Divide, left, right),
            Op::FloorDiv => calculate(Calculate::DivideWhole, left, right),
            Op::Rem => calculate(Calculate::Remainder, left, right),
            Op::Concat => calculate(Calculate::Join, left, right),
            Op::Eq => compare(Comparison::Equal, left, right),
            Op::Ne => compare(Comparison::Unequal, left, right),
            Op::Lt => compare(Comparison::Less, left, right),
            Op::Lte => compare(Comparison::LessOrEqual, left, right),
            Op::Gt => compare(Comparison::Greater, left, right),
            Op::Gte => compare(Comparison::GreaterOrEqual, left, right),
            Op::In => compare(Comparison::In, left, right),
            Op::Pow => return Err(self.refuse(span, "powers are not understood", "{{ 12 * 12 }}")),
        })
    }

    fn function(&self, name: &str, usage: Usage, span: Span) -> Result<&'static Function, CompileError> {
        functions::find(name, usage).ok_or_else(|| {
            let alike = functions::named(usage);
            let meant = names::nearest(name, alike.clone());
            let known: Vec<&str> = alike.collect();
            let reason = format!("there is no {} `{name}`, only {}", usage.as_str(), known.join(", "));
            let example = meant
                .and_then(|name| functions::find(name, usage))
                .map_or(usage.example(), |function| function.example);
            self.refuse(span, reason, example)
        })
    }

    fn call(
        &mut self,
        function: &'static Function,
        mut args: Vec<Node>,
        more: &[CallArg<'_>],
        span: Span,
    ) -> Result<Node, CompileError> {
        for arg in more {
            match arg {
                CallArg::Pos(expr) => args.push(self.node(expr)?.0),
                CallArg::Kwarg(..) | CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                    let reason = format!("the values for `{}` stand in their order, without names", function.name);
                    return Err(self.refuse(span, reason, function.example));
                }
            }
        }
        if !function.takes.contains(&args.len()) {
            let reason = format!("`{}` is given too few or too many values", function.name);
            return Err(self.refuse(span, reason, function.example));
        }
        Ok(Node::Call(function, args, self.place(span)))
    }
}

fn comparison(op: CompareOpKind) -> Comparison {
    match op {
        CompareOpKind::Eq => Comparison::Equal,
        CompareOpKind::Ne => Comparison::Unequal,
        CompareOpKind::Lt => Comparison::Less,
        CompareOpKind::Lte => Comparison::LessOrEqual,
        CompareOpKind::Gt => Comparison::Greater,
        CompareOpKind::Gte => Comparison::GreaterOrEqual,
        CompareOpKind::In => Comparison::In,
        CompareOpKind::NotIn => Comparison::NotIn,
    }
}

fn span_of(statement: &Stmt<'_>) -> Span {
    match statement {
        Stmt::Template(s) => s.span(),
        Stmt::EmitExpr(s) => s.span(),
        Stmt::EmitRaw(s) => s.span(),
        Stmt::ForLoop(s) => s.span(),
        Stmt::IfCond(s) => s.span(),
        Stmt::WithBlock(s) => s.span(),
        Stmt::Set(s) => s.span(),
        Stmt::SetBlock(s) => s.span(),
        Stmt::AutoEscape(s) => s.span(),
        Stmt::FilterBlock(s) => s.span(),
        Stmt::Do(s) => s.span(),
    }
}
