"""Training programs as tutorials teach them, small: each is given what watches it, and returns the networks that it trained.

`watching` is `whet.watch` or `unwatched`; every program asks it for one watch per optimiser and leaves the block in the end.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Watching = Callable[..., Any]
Program = Callable[[Watching], list[nn.Module]]


class Unwatched:
    def step(self, loss: Tensor) -> None: ...


@contextlib.contextmanager
def unwatched(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Any = None) -> Iterator[Unwatched]:
    yield Unwatched()


# -- pictures ----------------------------------------------------------------------------------------------------------


def drawn(rows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Pictures (n, 1, 12, 12) of lying, standing and slanting bars, between 0 and 1."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (rows,), generator=draw)
    at = torch.randint(3, 9, (rows,), generator=draw)
    row, column = torch.meshgrid(torch.arange(12), torch.arange(12), indexing="ij")
    where = torch.stack(
        [row.expand(rows, 12, 12), column.expand(rows, 12, 12), (row + column).expand(rows, 12, 12) / 2]
    )
    x = (where[y, torch.arange(rows)] - at[:, None, None]).abs() < 1
    return (0.8 * x[:, None] + 0.2 * torch.rand(rows, 1, 12, 12, generator=draw)).float(), y


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 12, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(192, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = self.dropout1(F.max_pool2d(x, 2)).flatten(1)
        x = self.dropout2(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


def pictures(watching: Watching) -> list[nn.Module]:
    """Classes of pictures: Adadelta with a falling rate, and a test after each epoch."""
    model = Convolutional()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    (x, y), (test_x, _) = drawn(320), drawn(100, 1)
    with watching(model, optimizer) as watch:
        for _ in range(3):
            model.train()
            for rows in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                loss = F.nll_loss(model(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
                watch.step(loss)
            model.eval()
            with torch.no_grad():
                model(test_x)
            scheduler.step()
    return [model]


class Twins(nn.Module):
    """One network for both pictures, and a verdict whether they show the same."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(200, 32)
        )
        self.head = nn.Sequential(nn.Linear(64, 32), nn.ReLU(inplace=True), nn.Linear(32, 1))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat([self.branch(a), self.branch(b)], 1)
        return torch.sigmoid(self.head(both))


def siamese(watching: Watching) -> list[nn.Module]:
    model, loss_fn = Twins(), nn.BCELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    x, y = drawn(256)
    with watching(model, optimizer, loss=loss_fn) as watch:
        for _ in range(40):
            a, b = torch.randint(len(x), (2, 32))
            same = (y[a] == y[b]).float()
            optimizer.zero_grad()
            loss = loss_fn(model(x[a], x[b]).squeeze(1), same)
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return [model]


class Variational(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.mean, self.spread = nn.Linear(144, 48), nn.Linear(48, 4), nn.Linear(48, 4)
        self.fc3, self.fc4 = nn.Linear(4, 48), nn.Linear(48, 144)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = F.relu(self.fc1(x.flatten(1)))
        mean, log_variance = self.mean(h), self.spread(h)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mean, log_variance


def variational(watching: Watching) -> list[nn.Module]:
    """A variational autoencoder; its loss is a sum over rows and pixels."""
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, _ = drawn(256)

    def loss_of(said: Tensor, wanted: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        entropy = F.binary_cross_entropy(said, wanted.flatten(1), reduction="sum")
        return entropy - 0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum()

    with watching(model, optimizer, loss=loss_of) as watch:
        for _ in range(6):
            for rows in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                said, mean, log_variance = model(x[rows])
                loss = loss_of(said, x[rows], mean, log_variance)
                loss.backward()
                optimizer.step()
                watch.step(loss)
    return [model]


def adversarial(watching: Watching) -> list[nn.Module]:
    """Two networks against each other, an optimiser each."""
    generator = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(True), nn.Linear(32, 144), nn.Sigmoid())
    critic = nn.Sequential(nn.Linear(144, 32), nn.LeakyReLU(0.2, True), nn.Linear(32, 1), nn.Sigmoid())
    for network in (generator, critic):
        for layer in (m for m in network.modules() if isinstance(m, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
    loss_fn = nn.BCELoss()
    of_critic = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    of_generator = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    x, _ = drawn(256)
    with watching(critic, of_critic, loss=loss_fn) as first, watching(generator, of_generator) as second:
        for _ in range(60):
            real, ones, zeros = x[torch.randint(len(x), (16,))].flatten(1), torch.ones(16, 1), torch.zeros(16, 1)
            critic.zero_grad()
            right = loss_fn(critic(real), ones)
            right.backward()
            fake = generator(torch.randn(16, 8))
            wrong = loss_fn(critic(fake.detach()), zeros)
            wrong.backward()
            of_critic.step()
            first.step(right + wrong)
            generator.zero_grad()
            fooled = loss_fn(critic(fake), ones)
            fooled.backward()
            of_generator.step()
            second.step(fooled)
    return [generator, critic]


def transferred(watching: Watching) -> list[nn.Module]:
    """A front that was trained before and is frozen, and a new head, all that the optimiser holds; one-cycle rate."""
    model, loss_fn = Convolutional(), nn.CrossEntropyLoss()
    x, y = drawn(256)
    before = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(30):
        before.zero_grad()
        rows = torch.randint(len(x), (32,))
        F.nll_loss(model(x[rows]), y[rows]).backward()
        before.step()
    for p in model.parameters():
        p.requires_grad = False
    model.fc2 = nn.Linear(32, 3)
    optimizer = torch.optim.SGD(model.fc2.parameters(), lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=60)
    with watching(model, optimizer, loss=loss_fn) as watch:
        for _ in range(60):
            rows = torch.randint(len(x), (32,))
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            scheduler.step()
            watch.step(loss)
    return [model]


# -- sequences ---------------------------------------------------------------------------------------------------------


def text(length: int) -> Tensor:
    """Words of a made-up language in which each word has two that may follow it."""
    draw, words = torch.Generator().manual_seed(0), [0]
    for turn in torch.randint(0, 2, (length - 1,), generator=draw).tolist():
        words.append((3 * words[-1] + 1 + 7 * turn) % 30)
    return torch.tensor(words)


class LanguageModel(nn.Module):
    """An LSTM whose first and last weights are the same."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.encoder, self.rnn = nn.Dropout(0.2), nn.Embedding(30, 24), nn.LSTM(24, 24, 2, dropout=0.2)
        self.decoder = nn.Linear(24, 30)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, words: Tensor, state: Any) -> tuple[Tensor, Any]:
        out, state = self.rnn(self.drop(self.encoder(words)), state)
        return F.log_softmax(self.decoder(self.drop(out)).view(-1, 30), dim=1), state


def words(watching: Watching) -> list[nn.Module]:
    """A language model: long texts in pieces, states carried on, clipped gradients, a rate of 20."""
    model, loss_fn = LanguageModel(), nn.NLLLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=20.0)
    lines = text(20 * 8 * 10 + 10).narrow(0, 0, 1610).view(10, -1).t().contiguous()  # (time, batch)
    state: Any = (torch.zeros(2, 10, 24), torch.zeros(2, 10, 24))
    with watching(model, optimizer, loss=loss_fn) as watch:
        for at in [*range(0, 160, 8)] * 2:
            state = tuple(s.detach() for s in state)
            optimizer.zero_grad()
            said, state = model(lines[at : at + 8], state)
            loss = loss_fn(said, lines[at + 1 : at + 9].reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()
            watch.step(loss)
    return [model]


class Recurrent(nn.Module):
    """One letter and the state so far -> the classes and the next state."""

    def __init__(self) -> None:
        super().__init__()
        self.i2h, self.h2o = nn.Linear(12 + 16, 16), nn.Linear(16, 3)

    def forward(self, letter: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = torch.tanh(self.i2h(torch.cat([letter, state], 1)))
        return F.log_softmax(self.h2o(state), dim=1), state


def names(watching: Watching) -> list[nn.Module]:
    """Classes of names, letter by letter, one name a step."""
    model, loss_fn = Recurrent(), nn.NLLLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    with watching(model, optimizer, loss=loss_fn) as watch:
        for _ in range(150):
            kind = int(torch.randint(3, ()))
            name = F.one_hot((4 * kind + torch.randint(5, (4,))) % 12, 12).float()
            state = torch.zeros(1, 16)
            optimizer.zero_grad()
            for letter in name:
                said, state = model(letter[None], state)
            loss = loss_fn(said, torch.tensor([kind]))
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return [model]


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(30, 24), nn.Parameter(torch.randn(8, 24) * 0.1)
        layer = nn.TransformerEncoderLayer(24, 2, 48, dropout=0.1, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 1), nn.Linear(24, 30)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)

    def forward(self, words: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(words.shape[1])
        x = self.embedding(words) * math.sqrt(24) + self.places
        return self.head(self.encoder(x, mask=mask, is_causal=True))  # type: ignore[no-any-return]


def attention(watching: Watching) -> list[nn.Module]:
    """A small transformer that says the next word: warm-up, clipped gradients, gradients of two batches a step."""
    model, loss_fn = Attentive(), nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 10))
    words = text(1000)
    with watching(model, optimizer, loss=loss_fn) as watch:
        for step in range(60):
            at = torch.randint(900, (12, 1)) + torch.arange(9)
            loss = loss_fn(model(words[at[:, :-1]]).flatten(0, 1), words[at[:, 1:]].flatten()) / 2
            loss.backward()
            if step % 2:
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
                watch.step(loss)
    return [model]


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.gru = nn.Embedding(12, 16), nn.GRU(16, 16, batch_first=True)

    def forward(self, words: Tensor) -> Any:
        return self.gru(self.embedding(words))


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.gru, self.out = nn.Embedding(12, 16), nn.GRU(16, 16, batch_first=True), nn.Linear(16, 12)

    def forward(self, word: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        out, state = self.gru(F.relu(self.embedding(word)), state)
        return F.log_softmax(self.out(out[:, 0]), dim=1), state


def translation(watching: Watching) -> list[nn.Module]:
    """Short sentences into their mirror images: an encoder and a decoder, an optimiser each, words fed one by one."""
    encoder, decoder, loss_fn = Encoder(), Decoder(), nn.NLLLoss()
    of_encoder = torch.optim.Adam(encoder.parameters(), lr=5e-3)
    of_decoder = torch.optim.Adam(decoder.parameters(), lr=5e-3)
    with watching(encoder, of_encoder) as first, watching(decoder, of_decoder, loss=loss_fn) as second:
        for _ in range(50):
            source = torch.randint(1, 12, (24, 4))
            of_encoder.zero_grad()
            of_decoder.zero_grad()
            _, state = encoder(source)
            word, loss = torch.zeros(24, 1, dtype=torch.long), torch.zeros(())
            for wanted in source.flip(1).t():
                said, state = decoder(word, state)
                loss = loss + loss_fn(said, wanted)
                word = wanted[:, None]
            loss.backward()
            of_encoder.step()
            of_decoder.step()
            first.step(loss)
            second.step(loss)
    return [encoder, decoder]


# -- values and deeds --------------------------------------------------------------------------------------------------


def polynomial(watching: Watching) -> list[nn.Module]:
    """A sine by powers of its argument: one layer, a loss that is a sum, and a rate of 1e-6."""
    x = torch.linspace(-math.pi, math.pi, 2000)
    powers, y = x[:, None] ** torch.arange(1, 4), x.sin()
    model, loss_fn = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1)), nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    with watching(model, optimizer, loss=loss_fn) as watch:
        for _ in range(300):
            loss = loss_fn(model(powers), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return [model]


class Series(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.LSTMCell(1, 12), nn.Linear(12, 1)

    def forward(self, x: Tensor) -> Tensor:
        state, said = (torch.zeros(len(x), 12), torch.zeros(len(x), 12)), []
        for value in x.split(1, 1):
            state = self.cell(value, state)
            said.append(self.out(state[0]))
        return torch.cat(said, 1)


def series(watching: Watching) -> list[nn.Module]:
    """Waves whose next value is to be said, with L-BFGS and its closure."""
    model, loss_fn = Series(), nn.MSELoss()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.8, max_iter=5)
    waves = torch.sin(torch.arange(20) / 3 + 6 * torch.rand(16, 1))
    with watching(model, optimizer, loss=loss_fn) as watch:
        for _ in range(6):

            def closure() -> Tensor:
                optimizer.zero_grad()
                loss: Tensor = loss_fn(model(waves[:, :-1]), waves[:, 1:])
                loss.backward()
                return loss

            watch.step(optimizer.step(closure))  # type: ignore[arg-type]
    return [model]


def balance(policy: nn.Module) -> tuple[list[Tensor], list[float]]:
    """One try at keeping a weight near 0 by pushing it left or right: log-probabilities of the pushes, and rewards."""
    place, speed, said, rewards = 0.0, float(torch.randn(())) * 0.1, [], []
    while abs(place) < 1 and len(rewards) < 30:
        choice = torch.distributions.Categorical(policy(torch.tensor([[place, speed]])))
        push = choice.sample()
        said.append(choice.log_prob(push))
        speed += 0.2 * (2 * float(push) - 1) + 0.1 * place
        place += 0.3 * speed
        rewards.append(1.0)
    return said, rewards


def reinforced(watching: Watching) -> list[nn.Module]:
    """A policy by its gradient: one step for each try, and a loss that means little."""
    policy = nn.Sequential(nn.Linear(2, 32), nn.Dropout(0.2), nn.ReLU(), nn.Linear(32, 2), nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    with watching(policy, optimizer) as watch:
        for _ in range(25):
            said, rewards = balance(policy)
            returns = torch.tensor([sum(0.99**k for k in range(len(rewards) - i)) for i in range(len(rewards))])
            returns = (returns - returns.mean()) / (returns.std(correction=0) + 1e-6)
            loss = -(torch.cat(said) * returns).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return [policy]


def valued(watching: Watching) -> list[nn.Module]:
    """Values of deeds, learned against a slow copy of the network from a memory of what happened."""
    make = lambda: nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))  # noqa: E731
    policy, target, loss_fn = make(), make(), nn.SmoothL1Loss()
    target.load_state_dict(policy.state_dict())
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3, amsgrad=True)
    before, deed = torch.rand(300, 2) * 2 - 1, torch.randint(2, (300, 1))
    after = (before + 0.1 * (2 * deed - 1)).clamp(-1, 1)
    reward = 1 - after.square().sum(1)
    with watching(policy, optimizer, loss=loss_fn) as watch:
        for _ in range(80):
            rows = torch.randint(300, (32,))
            value = policy(before[rows]).gather(1, deed[rows])
            with torch.no_grad():
                wanted = reward[rows] + 0.9 * target(after[rows]).max(1).values
            loss = loss_fn(value, wanted[:, None])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(policy.parameters(), 100)
            optimizer.step()
            watch.step(loss)
            for slow, fast in zip(target.parameters(), policy.parameters(), strict=True):
                slow.data.lerp_(fast.data, 0.05)
    return [policy]


PROGRAMS: dict[str, Program] = {
    "classes of pictures": pictures,
    "same or not": siamese,
    "variational autoencoder": variational,
    "two networks against each other": adversarial,
    "a frozen front": transferred,
    "word language model": words,
    "names, letter by letter": names,
    "transformer": attention,
    "encoder and decoder": translation,
    "polynomial": polynomial,
    "series with L-BFGS": series,
    "policy gradient": reinforced,
    "values of deeds": valued,
}
